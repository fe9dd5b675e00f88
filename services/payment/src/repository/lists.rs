//! Filters of the lists of payments and refunds, and their totals.

use common::database::Period;
use contracts::api::{PaymentMethod, PaymentStatus, RefundCause, RefundStatus};
use contracts::{Money, OrderId};

/// Filter of a list of payments. An empty one matches all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PaymentFilter {
    /// Status shown to clients.
    pub status: Option<PaymentStatus>,
    /// Payment method.
    pub method: Option<PaymentMethod>,
    /// Paid order.
    pub order_id: Option<OrderId>,
    /// Time of creation.
    pub period: Period,
}

/// Filter of a list of refunds. An empty one matches all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefundFilter {
    /// Status.
    pub status: Option<RefundStatus>,
    /// Cause of the refunds.
    pub cause: Option<RefundCause>,
    /// Time of creation.
    pub period: Period,
}

/// Totals of the payments and refunds created in a period, in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// Captured amount of the payments.
    pub captured: Money,
    /// Amount of the succeeded refunds.
    pub refunded: Money,
    /// Number of open payments.
    pub open: i64,
    /// Number of failed payments.
    pub failed: i64,
    /// Amount of the refunds that wait for a person: those that need attention, and external ones not yet paid.
    pub awaiting: Money,
}
