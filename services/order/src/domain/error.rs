use std::num::NonZeroU32;

use contracts::api::OrderStatus;

/// Violation of a domain rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// Order that does not exist or belongs to another customer.
    #[error("Order not found")]
    NotFound,
    /// Order error: total above the maximum.
    #[error("The order total must be at most {}", contracts::limits::MAX_TOTAL)]
    TotalTooLarge,
    /// Order error: status change requested by a customer.
    #[error("Only staff may change the order status")]
    StatusReadOnly,
    /// Change of tracking or staff notes requested by another caller than an admin.
    #[error("Only admins may change tracking and staff notes")]
    AdminOnly,
    /// Tracking of an order that is not shipped.
    #[error("Tracking requires a shipped order")]
    NotShipped,
    /// Change requested by a customer after fulfilment has begun.
    #[error("Order can no longer be changed")]
    NotChangeable,
    /// Status change that the order's lifecycle does not allow.
    #[error("Cannot transition from {from} to {to}")]
    InvalidTransition {
        /// Current status.
        from: OrderStatus,
        /// Requested status.
        to: OrderStatus,
    },
    /// Cancellation of an order that is cancelled already or in a status that does not allow it.
    #[error("Order cannot be cancelled")]
    NotCancellable,
    /// Number of unpaid orders above the customer's limit.
    #[error("At most {limit} unpaid orders are allowed at a time; pay for or cancel one first")]
    TooManyUnpaidOrders {
        /// Maximum number of unpaid orders.
        limit: NonZeroU32,
    },
    /// Quantity in unpaid orders above the customer's limit.
    #[error("At most {limit} pieces are allowed in unpaid orders; pay for or cancel one first")]
    TooManyUnpaidPieces {
        /// Maximum number of pieces in unpaid orders.
        limit: NonZeroU32,
    },
    /// Order error: order for a deleted account.
    #[error("User not found")]
    AccountDeleted,
    /// Cart that does not exist or belongs to another person.
    #[error("Cart not found")]
    CartNotFound,
    /// Order from a version of a cart that is not the current one.
    #[error("The cart has changed")]
    CartChanged,
    /// Order from a cart without lines.
    #[error("The cart is empty")]
    CartEmpty,
    /// Line beyond the maximum of a cart.
    #[error("A cart has at most {} lines", contracts::limits::MAX_ORDER_LINES)]
    CartFull,
}
