//! How a service serves HTTP.

use std::time::Duration;

use tokio_util::task::TaskTracker;

use super::TrustedProxies;
use crate::config::PlatformConfig;
use crate::fault::Faults;
use crate::telemetry::clock::SharedClock;
use crate::telemetry::metrics::Metrics;

/// The time that a request may take, unless its caller gives it less.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Requests that are handled at once. Each may hold a body and wait for one of some ten connections to a store, so that
/// the last of so many waits for a small part of a second where the store is well.
const MOST_REQUESTS: usize = 256;
/// How a service serves HTTP. Clones share what is counted.
#[derive(Clone)]
pub struct HttpSettings {
    /// The service's name.
    pub service: &'static str,
    /// Its version.
    pub version: String,
    /// Where requests are counted.
    pub metrics: Metrics,
    /// The time.
    pub clock: SharedClock,
    /// Proxies whose `X-Forwarded-For` counts.
    pub trusted_proxies: TrustedProxies,
    /// Origins that browsers may call from; none if a gateway sees to it.
    pub allowed_origins: Vec<String>,
    /// The time that a request may take.
    pub request_timeout: Duration,
    /// Requests that are handled at once, beside those about health and metrics; more are refused with 503.
    pub most_requests: usize,
    /// What an operator may put in.
    pub faults: Faults,
    /// Handlers that may write: each runs to its end, also when its client has gone away.
    pub in_flight: TaskTracker,
}

impl HttpSettings {
    /// What the configuration says, and defaults for the rest.
    #[must_use]
    pub fn new(config: &PlatformConfig, metrics: Metrics, clock: SharedClock) -> Self {
        Self {
            service: config.service,
            version: config.version.clone(),
            metrics,
            clock,
            trusted_proxies: TrustedProxies::new(config.trusted_proxies.iter().cloned()),
            allowed_origins: config.allowed_origins.clone(),
            request_timeout: REQUEST_TIMEOUT,
            most_requests: MOST_REQUESTS,
            faults: Faults::off(),
            in_flight: TaskTracker::new(),
        }
    }
}
