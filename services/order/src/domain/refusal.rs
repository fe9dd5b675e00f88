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
}
