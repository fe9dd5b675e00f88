//! What is counted of orders: what happened to them, how many are where, why some were not taken.

use common::metrics::Metrics;
use contracts::EventType;
use contracts::calls::OrderStatus;
use prometheus::{IntCounterVec, IntGaugeVec};

use crate::domain::Refusal;
use crate::error::Error;

/// Why an order was not taken, as far as that is not a mistake in the request.
const REFUSALS: [&str; 4] = ["insufficient_stock", "product_not_found", "unavailable", "unpaid_limit"];

/// Counts. Clones share what is counted.
#[derive(Clone)]
pub(crate) struct Figures {
    changes: IntCounterVec,
    refused: IntCounterVec,
    orders: IntGaugeVec,
}

impl Figures {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let changes = metrics.counter_vec("order_changes_total", "What happened to orders.", &["event"]);
        for kind in EventType::ALL.iter().filter(|kind| kind.as_str().starts_with("order.")) {
            let _ = changes.with_label_values(&[kind.as_str()]);
        }
        let refused = metrics.counter_vec("orders_refused_total", "Orders that were not taken, by why.", &["reason"]);
        for reason in REFUSALS {
            let _ = refused.with_label_values(&[reason]);
        }
        let figures = Self { changes, refused, orders: metrics.gauge_vec("orders", "Orders, by status.", &["status"]) };
        figures.show(&[]);
        figures
    }

    /// These things happened to orders.
    pub(crate) fn count(&self, happened: &[EventType]) {
        for kind in happened {
            self.changes.with_label_values(&[kind.as_str()]).inc();
        }
    }

    /// An order was not taken for this; what the customer got wrong otherwise is not counted.
    pub(crate) fn refused(&self, error: &Error) {
        let reason = match error {
            Error::InsufficientStock(_) => "insufficient_stock",
            Error::ProductsNotFound => "product_not_found",
            Error::Peer(_) | Error::Store(_) | Error::Overtaken => "unavailable",
            Error::Refused(Refusal::TooManyUnpaidOrders { .. } | Refusal::TooManyUnpaidPieces { .. }) => "unpaid_limit",
            Error::Refused(_) | Error::UserNotFound | Error::TotalChanged(_) => return,
        };
        self.refused.with_label_values(&[reason]).inc();
    }

    /// So many orders are in these statuses now, and none in the others.
    pub(crate) fn show(&self, counts: &[(OrderStatus, i64)]) {
        for status in OrderStatus::ALL {
            let count = counts.iter().find(|(known, _)| known == status).map_or(0, |(_, count)| *count);
            self.orders.with_label_values(&[status.as_str()]).set(count);
        }
    }
}
