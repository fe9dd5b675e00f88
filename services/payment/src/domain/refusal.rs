//! Why a change is refused by a rule.

use contracts::Money;

/// A rule that does not allow what was asked; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The order is cancelled.
    #[error("Order is cancelled")]
    OrderCancelled,
    /// Nothing is owed.
    #[error("Order is paid already")]
    OrderPaid,
    /// The amount is not what is owed.
    #[error("Amount must be {owed}, what the order still owes")]
    AmountMismatch {
        /// What is owed.
        owed: Money,
    },
    /// Another payment of the order, or this one, is being taken.
    #[error("A payment of this order is being taken")]
    InProgress,
    /// It was confirmed with another transaction, or the provider has taken the money.
    #[error("Payment is completed already")]
    AlreadyConfirmed,
    /// It failed or was cancelled, or its order was.
    #[error("A payment that failed or was cancelled cannot be confirmed")]
    NotConfirmable,
    /// Nothing is captured, or all of it was given back.
    #[error("Payment cannot be refunded while it is {status}")]
    NotRefundable {
        /// Its status.
        status: contracts::calls::PaymentStatus,
    },
    /// It is more than what is left.
    #[error("At most {rest} of this payment can still be refunded")]
    RefundTooLarge {
        /// What is left.
        rest: Money,
    },
    /// There is no such payment or refund.
    #[error("Payment not found")]
    NotFound,
    /// There is no such refund.
    #[error("Refund not found")]
    RefundNotFound,
    /// It does not need attention, or an attempt is in flight.
    #[error("Only a failed refund that needs attention can be retried, and only while no attempt is in flight")]
    NotRetryable,
    /// It is neither external nor in need of attention, or an attempt is in flight.
    #[error("Only an external refund or one that needs attention can be settled")]
    NotSettleable,
    /// Other refunds cover some of it: if it was paid by hand, more than was owed went back.
    #[error(
        "Only {owed} of this refund is still owed, since other refunds of the payment cover the rest: retry it, which \
         sends no more than that, or refund what is owed"
    )]
    SettlesTooMuch {
        /// What is still owed.
        owed: Money,
    },
    /// Too many intents of it wait to be fetched.
    #[error("Too many notifications of this payment are pending")]
    TooManyHints,
    /// Somebody else took the work up after the lease ran out.
    #[error("Payment is being worked on by somebody else")]
    LeaseLost,
}
