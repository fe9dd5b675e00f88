//! Metrics of a pool of connections to a store.

use std::time::Duration;

use prometheus::{Histogram, IntGauge};

use super::Metrics;

/// Metrics of a pool of connections. Clones share them.
#[derive(Clone, Debug)]
pub struct PoolMetrics {
    idle: IntGauge,
    used: IntGauge,
    waits: Histogram,
}

impl PoolMetrics {
    /// Creates the metrics of a pool of at most `max` connections.
    #[must_use]
    pub fn new(metrics: &Metrics, max: u32) -> Self {
        let help = "Connections to the store by state.";
        let connections = metrics.gauge_vec("db_client_connections", help, &["state"]);
        let help = "Maximum number of connections to the store.";
        metrics.gauge_vec("db_client_connections_max", help, &[]).with_label_values::<&str>(&[]).set(i64::from(max));
        let help = "Time that callers wait for a connection to the store.";
        let waits = metrics.histogram_vec("db_client_connection_wait_seconds", help, &[]);
        Self {
            idle: connections.with_label_values(&["idle"]),
            used: connections.with_label_values(&["used"]),
            waits: waits.with_label_values::<&str>(&[]),
        }
    }

    /// Sets the numbers of idle and used connections.
    pub fn show(&self, idle: i64, used: i64) {
        self.idle.set(idle.max(0));
        self.used.set(used.max(0));
    }

    /// Observes the time that a caller waited for a connection.
    pub fn waited(&self, time: Duration) {
        self.waits.observe(time.as_secs_f64());
    }
}
