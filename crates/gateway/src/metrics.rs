//! Metrics of the gateway, under Kong's names.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use prometheus::{Encoder, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, TextEncoder};

use crate::plugins::prometheus::Prometheus;
use crate::response_source::ResponseSource;
use crate::router::Target;

const KONG_BUCKETS: &[f64] =
    &[1.0, 2.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 75.0, 100.0, 200.0, 500.0, 750.0, 1000.0];
const UPSTREAM_BUCKETS: &[f64] =
    &[25.0, 50.0, 80.0, 100.0, 250.0, 400.0, 700.0, 1000.0, 2000.0, 5000.0, 10000.0, 30000.0, 60000.0];

/// Measurements of one request. Bytes are those of head and body.
#[derive(Debug)]
pub(crate) struct Observation {
    pub(crate) status: u16,
    pub(crate) source: ResponseSource,
    /// Time that the gateway itself added to the request.
    pub(crate) own: Duration,
    pub(crate) upstream: Option<Duration>,
    pub(crate) total: Duration,
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

/// Metrics, and the plain counts of the status page.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    kong_latency: HistogramVec,
    upstream_latency: HistogramVec,
    request_latency: HistogramVec,
    bandwidth: IntCounterVec,
    total: AtomicU64,
    active: AtomicI64,
}

impl Metrics {
    /// Creates and registers the metrics.
    ///
    /// # Errors
    /// When a metric cannot be registered.
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let labels = ["service", "route"];
        let latency = |name: &str, help: &str, buckets: &[f64]| {
            HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), &labels)
        };
        let metrics = Self {
            registry: Registry::new(),
            requests: IntCounterVec::new(
                Opts::new("kong_http_requests_total", "HTTP status codes per consumer/service/route in Kong"),
                &["service", "route", "code", "source", "consumer"],
            )?,
            kong_latency: latency(
                "kong_kong_latency_ms",
                "Latency added by Kong in ms for each service/route in Kong",
                KONG_BUCKETS,
            )?,
            upstream_latency: latency(
                "kong_upstream_latency_ms",
                "Latency added by upstream response in ms for each service/route in Kong",
                UPSTREAM_BUCKETS,
            )?,
            request_latency: latency(
                "kong_request_latency_ms",
                "Total latency incurred during requests in ms for each service/route in Kong",
                UPSTREAM_BUCKETS,
            )?,
            bandwidth: IntCounterVec::new(
                Opts::new("kong_bandwidth_bytes", "Total bandwidth (ingress/egress) throughput in bytes"),
                &["service", "route", "direction", "consumer"],
            )?,
            total: AtomicU64::new(0),
            active: AtomicI64::new(0),
        };
        let registry = &metrics.registry;
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.kong_latency.clone()))?;
        registry.register(Box::new(metrics.upstream_latency.clone()))?;
        registry.register(Box::new(metrics.request_latency.clone()))?;
        registry.register(Box::new(metrics.bandwidth.clone()))?;
        Ok(metrics)
    }

    pub(crate) fn begin(&self) {
        self.total.fetch_add(1, Ordering::Relaxed);
        self.active.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn end(&self) {
        self.active.fetch_sub(1, Ordering::Relaxed);
    }

    /// Returns the number of requests so far, and of those in flight.
    pub(crate) fn counts(&self) -> (u64, i64) {
        (self.total.load(Ordering::Relaxed), self.active.load(Ordering::Relaxed))
    }

    pub(crate) fn observe(&self, plugin: &Prometheus, target: &Target, observation: &Observation) {
        let (service, route) = (target.service.as_str(), target.name.as_str());
        if plugin.counts_status_codes() {
            let code = observation.status.to_string();
            self.requests.with_label_values(&[service, route, &code, observation.source.label(), ""]).inc();
        }
        if plugin.measures_latency() {
            let labels = [service, route];
            let own = self.kong_latency.with_label_values(&labels);
            own.observe(milliseconds(observation.own));
            if let Some(upstream) = observation.upstream {
                let histogram = self.upstream_latency.with_label_values(&labels);
                histogram.observe(milliseconds(upstream));
            }
            let total = self.request_latency.with_label_values(&labels);
            total.observe(milliseconds(observation.total));
        }
        if plugin.counts_bandwidth() {
            for (direction, bytes) in [("ingress", observation.received), ("egress", observation.sent)] {
                self.bandwidth.with_label_values(&[service, route, direction, ""]).inc_by(bytes);
            }
        }
    }

    /// Encodes the metrics in Prometheus' text format.
    ///
    /// # Errors
    /// When a metric cannot be encoded.
    pub(crate) fn text(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// Returns whole milliseconds, which is what Kong measures.
fn milliseconds(duration: Duration) -> f64 {
    f64::from(u32::try_from(duration.as_millis()).unwrap_or(u32::MAX))
}
