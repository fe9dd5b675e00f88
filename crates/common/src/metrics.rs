//! A service's metrics: one registry each, so that several services in one process stay apart.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};

/// Upper bounds of the buckets of a duration, in seconds.
pub const DURATION_BUCKETS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

#[derive(Clone)]
enum Collector {
    Counter(IntCounterVec),
    Gauge(IntGaugeVec),
    Float(GaugeVec),
    Histogram(HistogramVec),
}

/// Makes and renders a service's metrics. Clones share them; asking twice for a name gives the same collector.
///
/// A collector whose name is taken by one of another kind, or whose labels differ, is a fault of the program: it is
/// logged, and the collector that is given counts, but is not rendered.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    made: Arc<Mutex<HashMap<String, Collector>>>,
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
                        Err(error) => tracing::error!(name, %error, "metric cannot be registered"),
                    }
                    collector
                }
                Err(error) => unreachable!("the metric `{name}` has a name or label that is not valid: {error}"),
            }
        }
    };
}

impl Metrics {
    /// An empty set, beside the process's own figures (memory, processor time, open files).
    #[must_use]
    pub fn new() -> Self {
        let registry = Registry::new();
        let process = prometheus::process_collector::ProcessCollector::for_self();
        if let Err(error) = registry.register(Box::new(process)) {
            tracing::error!(%error, "process metrics cannot be registered");
        }
        Self { registry, made: Arc::default() }
    }

    collector!(
        /// A counter with these labels.
        counter_vec, Counter(IntCounterVec), |name, help, labels| IntCounterVec::new(Opts::new(name, help), labels)
    );
    collector!(
        /// A gauge of whole numbers with these labels.
        gauge_vec, Gauge(IntGaugeVec), |name, help, labels| IntGaugeVec::new(Opts::new(name, help), labels)
    );
    collector!(
        /// A gauge of fractions (seconds) with these labels.
        float_gauge_vec, Float(GaugeVec), |name, help, labels| GaugeVec::new(Opts::new(name, help), labels)
    );
    collector!(
        /// A histogram of seconds with these labels.
        histogram_vec, Histogram(HistogramVec), |name, help, labels| {
            HistogramVec::new(HistogramOpts::new(name, help).buckets(DURATION_BUCKETS.to_vec()), labels)
        }
    );

    /// All of it in Prometheus' text form (version 0.0.4).
    #[must_use]
    pub fn render(&self) -> String {
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_else(|error| {
            tracing::error!(%error, "metrics cannot be rendered");
            String::new()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_gives_the_same_collector() {
        let metrics = Metrics::new();
        metrics.counter_vec("orders_total", "Orders.", &["status"]).with_label_values(&["pending"]).inc();
        metrics.counter_vec("orders_total", "Orders.", &["status"]).with_label_values(&["pending"]).inc();
        assert!(metrics.render().contains("orders_total{status=\"pending\"} 2"), "{}", metrics.render());
    }

    #[test]
    fn services_in_one_process_stay_apart() {
        let (one, other) = (Metrics::new(), Metrics::new());
        one.counter_vec("orders_total", "Orders.", &[]).with_label_values::<&str>(&[]).inc();
        assert!(!other.render().contains("orders_total"));
    }
}
