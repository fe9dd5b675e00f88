use std::num::NonZeroU32;

use contracts::calls::OrderStatus;

/// Why a rule does not allow something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such order, or it is another person's.
    #[error("Order not found")]
    NotFound,
    /// It costs more than an order may.
    #[error("The order's total must be at most {}", contracts::limits::MAX_TOTAL)]
    TotalTooLarge,
    /// Its owner wants to change the status.
    #[error("The status of an order is changed by the shop only")]
    StatusIsTheShops,
    /// Its owner wants to change what is being sent already.
    #[error("Order cannot be changed any more")]
    NotChangeable,
    /// The status does not lead there.
    #[error("Cannot transition from {from} to {to}")]
    InvalidTransition {
        /// The status that it has.
        from: OrderStatus,
        /// The status that was asked for.
        to: OrderStatus,
    },
    /// It is too far on, or cancelled already.
    #[error("Order cannot be cancelled")]
    NotCancellable,
    /// The person holds as many unpaid orders as the shop allows.
    #[error("At most {limit} unpaid orders are allowed at a time; pay for or cancel one first")]
    TooManyUnpaidOrders {
        /// The limit.
        limit: NonZeroU32,
    },
    /// The person would hold more unpaid pieces than the shop allows.
    #[error("At most {limit} pieces are allowed in unpaid orders; pay for or cancel one first")]
    TooManyUnpaidPieces {
        /// The limit.
        limit: NonZeroU32,
    },
    /// The person's account was deleted.
    #[error("User not found")]
    AccountDeleted,
}
