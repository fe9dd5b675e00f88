//! Filters, positions and pages of the lists of payments and refunds, and their totals.

use chrono::{DateTime, Utc};
use contracts::api::{PaymentMethod, PaymentStatus, RefundCause, RefundStatus};
use contracts::{Money, OrderId};

/// Period of time by the creation of payments and refunds. A missing bound is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// Start, included.
    pub from: Option<DateTime<Utc>>,
    /// End, not included.
    pub to: Option<DateTime<Utc>>,
}

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

/// Start of a page in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start<Id> {
    /// After this number of rows, which are counted for the page.
    Offset(i64),
    /// After the row with this id. Rows are not counted, so that each page costs the same.
    After(Id),
}

impl<Id> Start<Id> {
    /// Converts the id.
    pub(crate) fn map<T>(self, convert: impl FnOnce(Id) -> T) -> Start<T> {
        match self {
            Self::Offset(rows) => Start::Offset(rows),
            Self::After(id) => Start::After(convert(id)),
        }
    }
}

/// Page of a list, newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// Rows of the page.
    pub rows: Vec<T>,
    /// Number of rows of the whole list; `None` for a page after a row.
    pub total: Option<i64>,
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
