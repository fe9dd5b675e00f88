//! Figures of a pool of connections to a store.

use std::time::Duration;

use prometheus::{Histogram, IntGauge};

use super::Metrics;

/// Shows how a service's pool of connections fares. Clones share what is shown.
#[derive(Clone, Debug)]
pub struct PoolMetrics {
    idle: IntGauge,
    used: IntGauge,
    waits: Histogram,
}

impl PoolMetrics {
    /// The pool of a service, which holds `max` connections at the most.
    #[must_use]
    pub fn new(metrics: &Metrics, max: u32) -> Self {
        let help = "Connections to the store, by state.";
        let connections = metrics.gauge_vec("db_client_connections", help, &["state"]);
        let help = "Connections to the store that the service holds at the most.";
        metrics.gauge_vec("db_client_connections_max", help, &[]).with_label_values::<&str>(&[]).set(i64::from(max));
        let help = "Time that callers waited for a connection to the store.";
        let waits = metrics.histogram_vec("db_client_connection_wait_seconds", help, &[]);
        Self {
            idle: connections.with_label_values(&["idle"]),
            used: connections.with_label_values(&["used"]),
            waits: waits.with_label_values::<&str>(&[]),
        }
    }

    /// So many connections are idle and in use now.
    pub fn show(&self, idle: i64, used: i64) {
        self.idle.set(idle.max(0));
        self.used.set(used.max(0));
    }

    /// Somebody waited so long for a connection.
    pub fn waited(&self, time: Duration) {
        self.waits.observe(time.as_secs_f64());
    }
}
