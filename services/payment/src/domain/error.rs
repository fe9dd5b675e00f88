//! Domain errors.

use contracts::Money;
use contracts::api::PaymentStatus;

/// Violated rule; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PaymentError {
    /// Payment error: the order is cancelled.
    #[error("Order is cancelled")]
    OrderCancelled,
    /// Payment error: the order owes nothing.
    #[error("Order is already paid")]
    OrderPaid,
    /// The amount differs from what the order owes.
    #[error("Amount must be {owed}, the amount still owed")]
    AmountMismatch {
        /// Amount that the order owes.
        owed: Money,
    },
    /// A payment of the order is in progress.
    #[error("A payment of this order is in progress")]
    InProgress,
    /// The payment was confirmed with another transaction, or captured by the provider.
    #[error("Payment is already completed")]
    AlreadyConfirmed,
    /// The payment failed or was cancelled, or its order was cancelled.
    #[error("A failed or cancelled payment cannot be confirmed")]
    NotConfirmable,
    /// No captured money, or all of it was refunded.
    #[error("Payment cannot be refunded while it is {status}")]
    NotRefundable {
        /// Status of the payment.
        status: PaymentStatus,
    },
    /// Payment error: the amount exceeds the refundable amount.
    #[error("At most {refundable} of this payment can still be refunded")]
    RefundTooLarge {
        /// Refundable amount.
        refundable: Money,
    },
    /// The payment, or the refund of the payment, does not exist.
    #[error("Payment not found")]
    NotFound,
    /// Payment error: the refund does not exist.
    #[error("Refund not found")]
    RefundNotFound,
    /// The refund does not need attention, or an attempt is in flight.
    #[error("Only a failed refund that needs attention can be retried, and only while no attempt is in flight")]
    NotRetryable,
    /// The refund is neither external nor in need of attention, or an attempt is in flight.
    #[error("Only an external refund or one that needs attention can be settled")]
    NotSettleable,
    /// Other refunds cover part of the refund; settling all of it would refund more than was due.
    #[error(
        "Only {owed} of this refund is still owed, since other refunds of the payment cover the rest: retry it, which \
         sends no more than that, or refund what is owed"
    )]
    SettlesTooMuch {
        /// Amount still due.
        owed: Money,
    },
    /// Too many intents of the payment wait to be fetched.
    #[error("Too many notifications of this payment are pending")]
    TooManyHints,
    /// The lease expired and another worker acquired it.
    #[error("Payment is processed by another worker")]
    LeaseLost,
}
