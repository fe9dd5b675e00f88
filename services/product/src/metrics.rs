//! Metrics of stock and reservations.

use common::telemetry::metrics::Metrics;
use prometheus::{IntCounter, IntGauge};

/// Counters and gauges. Clones share their values.
#[derive(Clone)]
pub(crate) struct ProductMetrics {
    /// Number of reservations that expired without an order.
    pub(crate) expired_reservations: IntCounter,
    /// Number of reservations that were rejected for insufficient stock.
    pub(crate) stock_shortages: IntCounter,
    /// Number of active products without available stock.
    pub(crate) out_of_stock: IntGauge,
}

impl ProductMetrics {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let counter = |name, help| metrics.counter_vec(name, help, &[]).with_label_values::<&str>(&[]);
        let out_of_stock = metrics.gauge_vec("products_out_of_stock", "Active products without available stock.", &[]);
        Self {
            expired_reservations: counter("reservations_expired_total", "Reservations that expired without an order."),
            stock_shortages: counter("stock_shortages_total", "Reservations rejected for insufficient stock."),
            out_of_stock: out_of_stock.with_label_values::<&str>(&[]),
        }
    }
}
