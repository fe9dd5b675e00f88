//! Metrics of orders.

use common::telemetry::metrics::Metrics;
use contracts::EventType;
use contracts::api::OrderStatus;
use prometheus::{IntCounterVec, IntGaugeVec};

use crate::domain::OrderError;
use crate::error::Error;

/// Rejection reasons other than invalid requests.
const REJECTION_REASONS: [&str; 4] = ["insufficient_stock", "product_not_found", "unavailable", "unpaid_limit"];

/// Counters and gauges of orders. Clones share them.
#[derive(Clone)]
pub(crate) struct OrderMetrics {
    changes: IntCounterVec,
    rejections: IntCounterVec,
    orders: IntGaugeVec,
}

impl OrderMetrics {
    /// Registers the metrics, each label value with 0.
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let changes = metrics.counter_vec("order_changes_total", "Changes of orders, by event type.", &["event"]);
        for event_type in EventType::ALL.iter().filter(|event_type| event_type.as_str().starts_with("order.")) {
            let _ = changes.with_label_values(&[event_type.as_str()]);
        }
        let rejections = metrics.counter_vec("orders_refused_total", "Rejected orders, by reason.", &["reason"]);
        for reason in REJECTION_REASONS {
            let _ = rejections.with_label_values(&[reason]);
        }
        let orders = metrics.gauge_vec("orders", "Orders, by status.", &["status"]);
        let metrics = Self { changes, rejections, orders };
        metrics.set_status_counts(&[]);
        metrics
    }

    /// Counts changes of orders.
    pub(crate) fn record_changes(&self, published: &[EventType]) {
        for event_type in published {
            self.changes.with_label_values(&[event_type.as_str()]).inc();
        }
    }

    /// Counts a rejected order by its reason. Invalid requests are not counted.
    pub(crate) fn record_rejection(&self, error: &Error) {
        let reason = match error {
            Error::InsufficientStock(_) => "insufficient_stock",
            Error::ProductsNotFound => "product_not_found",
            Error::Upstream(_) | Error::Store(_) | Error::ReservationExpired => "unavailable",
            Error::Domain(OrderError::TooManyUnpaidOrders { .. } | OrderError::TooManyUnpaidPieces { .. }) => {
                "unpaid_limit"
            }
            Error::Domain(_)
            | Error::UserNotFound
            | Error::TotalChanged(_)
            | Error::CartContended
            | Error::UnknownStart => return,
        };
        self.rejections.with_label_values(&[reason]).inc();
    }

    /// Sets the gauges of orders by status; statuses that are not listed are set to 0.
    pub(crate) fn set_status_counts(&self, counts: &[(OrderStatus, i64)]) {
        for status in OrderStatus::ALL {
            let count = counts.iter().find(|(known, _)| known == status).map_or(0, |(_, count)| *count);
            self.orders.with_label_values(&[status.as_str()]).set(count);
        }
    }
}
