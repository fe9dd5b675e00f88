//! What is counted of the stock: reservations that ran out, those that were refused, products that are sold out.

use common::metrics::Metrics;
use prometheus::{IntCounter, IntGauge};

/// Counts. Clones share what is counted.
#[derive(Clone)]
pub(crate) struct Figures {
    /// Reservations that ran out, since there is no such order.
    pub(crate) expired: IntCounter,
    /// Reservations that were refused, since too little was left.
    pub(crate) shortages: IntCounter,
    /// Active products with nothing left.
    pub(crate) sold_out: IntGauge,
}

impl Figures {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let counter = |name, help| metrics.counter_vec(name, help, &[]).with_label_values::<&str>(&[]);
        let sold_out = metrics.gauge_vec("products_out_of_stock", "Active products with nothing left.", &[]);
        Self {
            expired: counter("reservations_expired_total", "Reservations that ran out without an order."),
            shortages: counter("stock_shortages_total", "Reservations that were refused for want of stock."),
            sold_out: sold_out.with_label_values::<&str>(&[]),
        }
    }
}
