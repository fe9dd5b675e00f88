//! Settings of a service's HTTP server.

use std::time::Duration;

use tokio_util::task::TaskTracker;

use super::{LongPolls, TrustedProxies};
use crate::config::PlatformConfig;
use crate::fault::Faults;
use crate::telemetry::clock::SharedClock;
use crate::telemetry::metrics::Metrics;

/// Default time limit of a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum number of concurrent requests. Each may hold a body and wait for one of about ten connections to a store, so
/// the last one waits for a fraction of a second while the store is fast.
const MAX_CONCURRENT_REQUESTS: usize = 256;

/// Route whose multipart bodies may be larger than other bodies. They are not received before the request is handled, so
/// that the handler can check the caller first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uploads {
    /// Path template of the route.
    pub path: &'static str,
    /// Maximum size of a body, in bytes.
    pub max_bytes: usize,
}

/// Settings of a service's HTTP server. Clones share the counters.
#[derive(Clone)]
pub struct HttpSettings {
    /// Name of the service.
    pub service: &'static str,
    /// Version of the service.
    pub version: String,
    /// Metrics of requests.
    pub metrics: Metrics,
    /// Clock.
    pub clock: SharedClock,
    /// Proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: TrustedProxies,
    /// Origins for CORS; none if a gateway handles it.
    pub allowed_origins: Vec<String>,
    /// Time limit of a request.
    pub request_timeout: Duration,
    /// Maximum number of concurrent requests, except for health and metrics; more are rejected with 503.
    pub max_concurrent_requests: usize,
    /// Injected faults.
    pub faults: Faults,
    /// Route that takes uploads.
    pub uploads: Option<Uploads>,
    /// Requests that wait for a change.
    pub long_polls: LongPolls,
    /// Mutating handlers in progress, each of which completes even if its client disconnects.
    pub in_flight: TaskTracker,
}

impl HttpSettings {
    /// Creates settings from the configuration, with defaults for the rest.
    #[must_use]
    pub fn new(config: &PlatformConfig, metrics: Metrics, clock: SharedClock) -> Self {
        let long_polls = LongPolls::new(&metrics);
        Self {
            service: config.service,
            version: config.version.clone(),
            metrics,
            clock,
            trusted_proxies: TrustedProxies::new(config.trusted_proxies.iter().cloned()),
            allowed_origins: config.allowed_origins.clone(),
            request_timeout: REQUEST_TIMEOUT,
            max_concurrent_requests: MAX_CONCURRENT_REQUESTS,
            faults: Faults::off(),
            uploads: None,
            long_polls,
            in_flight: TaskTracker::new(),
        }
    }
}
