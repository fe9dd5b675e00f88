//! Metrics of a service. Each service has its own registry, so several services can share a process.
//!
//! A metric with a known set of labels exists with 0 from the start, so a rate has data before the first event.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{
    CounterVec, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder,
};

mod pool;
mod runtime;

pub use pool::PoolMetrics;

/// Upper bounds of the buckets of a duration, in seconds.
pub const DURATION_BUCKETS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

#[derive(Clone)]
enum Collector {
    Counter(IntCounterVec),
    Seconds(CounterVec),
    Gauge(IntGaugeVec),
    Float(GaugeVec),
    Histogram(HistogramVec),
}

/// Callback that updates gauges before rendering.
type Refresh = Arc<dyn Fn() + Send + Sync>;

/// Registry of a service's metrics. Clones share it; requesting a name twice returns the same collector.
///
/// Requesting a name with another kind or other labels is a programming error: it is logged, and the returned collector
/// counts but is not rendered.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    made: Arc<Mutex<HashMap<String, Collector>>>,
    refreshes: Arc<Mutex<Vec<Refresh>>>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

macro_rules! collector {
    ($(#[$doc:meta])* $method:ident, $kind:ident($type:ty), $make:expr) => {
        $(#[$doc])*
        #[must_use]
        pub fn $method(&self, name: &str, help: &str, labels: &[&str]) -> $type {
            let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(Collector::$kind(collector)) = made.get(name) {
                return collector.clone();
            }
            let make: fn(&str, &str, &[&str]) -> prometheus::Result<$type> = $make;
            match make(name, help, labels) {
                Ok(collector) => {
                    match self.registry.register(Box::new(collector.clone())) {
                        Ok(()) => drop(made.insert(name.to_owned(), Collector::$kind(collector.clone()))),
                        Err(error) => tracing::error!(name, %error, "metric not registered"),
                    }
                    collector
                }
                Err(error) => unreachable!("the metric `{name}` has a name or label that is not valid: {error}"),
            }
        }
    };
}

impl Metrics {
    /// Creates a registry with the metrics of the process (memory, processor time, open files).
    #[must_use]
    pub fn new() -> Self {
        let registry = Registry::new();
        let process = prometheus::process_collector::ProcessCollector::for_self();
        if let Err(error) = registry.register(Box::new(process)) {
            tracing::error!(%error, "process metrics not registered");
        }
        Self { registry, made: Arc::default(), refreshes: Arc::default() }
    }

    collector!(
        /// Returns a counter with these labels.
        counter_vec, Counter(IntCounterVec), |name, help, labels| IntCounterVec::new(Opts::new(name, help), labels)
    );
    collector!(
        /// Returns a counter of fractions (seconds) with these labels.
        seconds_vec, Seconds(CounterVec), |name, help, labels| CounterVec::new(Opts::new(name, help), labels)
    );
    collector!(
        /// Returns a gauge of whole numbers with these labels.
        gauge_vec, Gauge(IntGaugeVec), |name, help, labels| IntGaugeVec::new(Opts::new(name, help), labels)
    );
    collector!(
        /// Returns a gauge of fractions (seconds) with these labels.
        float_gauge_vec, Float(GaugeVec), |name, help, labels| GaugeVec::new(Opts::new(name, help), labels)
    );
    collector!(
        /// Returns a histogram of seconds with these labels.
        histogram_vec, Histogram(HistogramVec), |name, help, labels| {
            HistogramVec::new(HistogramOpts::new(name, help).buckets(DURATION_BUCKETS.to_vec()), labels)
        }
    );

    /// Registers a callback that runs before each rendering. It sets gauges from memory and does not block.
    pub fn before_render(&self, refresh: impl Fn() + Send + Sync + 'static) {
        self.refreshes.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::new(refresh));
    }

    /// Renders all metrics in Prometheus' text format (version 0.0.4).
    #[must_use]
    pub fn render(&self) -> String {
        let refreshes = self.refreshes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for refresh in refreshes {
            refresh();
        }
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_else(|error| {
            tracing::error!(%error, "metrics not rendered");
            String::new()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_return_the_same_collector() {
        let metrics = Metrics::new();
        metrics.counter_vec("orders_total", "Orders.", &["status"]).with_label_values(&["pending"]).inc();
        metrics.counter_vec("orders_total", "Orders.", &["status"]).with_label_values(&["pending"]).inc();
        assert!(metrics.render().contains("orders_total{status=\"pending\"} 2"), "{}", metrics.render());
    }

    #[test]
    fn refreshed_gauges_are_current_when_rendered() {
        let metrics = Metrics::new();
        let (gauge, reads) = (metrics.gauge_vec("reads", "Reads.", &[]), std::sync::atomic::AtomicI64::new(0));
        metrics.before_render(move || {
            let reads = reads.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            gauge.with_label_values::<&str>(&[]).set(reads);
        });
        assert!(metrics.render().contains("reads 0"));
        assert!(metrics.render().contains("reads 1"));
    }

    #[test]
    fn services_in_one_process_have_separate_metrics() {
        let (one, other) = (Metrics::new(), Metrics::new());
        one.counter_vec("orders_total", "Orders.", &[]).with_label_values::<&str>(&[]).inc();
        assert!(!other.render().contains("orders_total"));
    }
}
