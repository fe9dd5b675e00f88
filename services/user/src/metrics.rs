//! Metrics of the password queue.

use common::http::load_shed;
use common::telemetry::metrics::Metrics;
use prometheus::{Histogram, HistogramTimer, IntCounter, IntGauge};

/// Metrics of password hashing. Clones share the values.
#[derive(Clone)]
pub(crate) struct PasswordMetrics {
    waiting: IntGauge,
    wait_time: Histogram,
    hash_time: Histogram,
    shed: IntCounter,
}

/// Measurement of one wait in the queue. It ends when dropped, also if the request is cancelled.
pub(crate) struct QueueTimer {
    waiting: IntGauge,
    #[expect(dead_code, reason = "it measures until it is dropped")]
    timer: HistogramTimer,
}

impl PasswordMetrics {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let waiting = "Number of requests waiting for a password hash.";
        let wait_time = "Time that requests wait for a password hash to start.";
        let hash_time = "Time that a password hash takes.";
        let gauge = metrics.gauge_vec("password_hash_queue_length", waiting, &[]);
        let wait_time = metrics.histogram_vec("password_hash_wait_seconds", wait_time, &[]);
        let hash_time = metrics.histogram_vec("password_hash_duration_seconds", hash_time, &[]);
        Self {
            waiting: gauge.with_label_values::<&str>(&[]),
            wait_time: wait_time.with_label_values::<&str>(&[]),
            hash_time: hash_time.with_label_values::<&str>(&[]),
            shed: load_shed::counter(metrics).with_label_values(&["passwords"]),
        }
    }

    /// Counts a request rejected because the queue is full.
    pub(crate) fn count_rejected(&self) {
        self.shed.inc();
    }

    /// Starts to measure a wait.
    pub(crate) fn start_wait(&self) -> QueueTimer {
        self.waiting.inc();
        QueueTimer { waiting: self.waiting.clone(), timer: self.wait_time.start_timer() }
    }

    /// Measures the computation of a hash.
    pub(crate) fn observe_hash<T>(&self, work: impl FnOnce() -> T) -> T {
        self.hash_time.observe_closure_duration(work)
    }
}

impl Drop for QueueTimer {
    fn drop(&mut self) {
        self.waiting.dec();
    }
}
