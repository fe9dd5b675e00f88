//! Connections, circuit breakers, retry budgets and metrics shared by the calls of a client.

use std::time::Duration;

use prometheus::HistogramVec;
use reqwest::redirect;

use super::circuit_breaker::CircuitBreakers;
use super::http_client::http_client;
use super::retry_budget::RetryBudgets;
use crate::telemetry::clock::SharedClock;
use crate::telemetry::metrics::Metrics;

/// Maximum time to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum idle time of a connection. It is shorter than that of servers, so no connection is closed during a call.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Part of a client that its calls share.
pub(super) struct Core {
    pub(super) service: &'static str,
    pub(super) http: reqwest::Client,
    pub(super) breakers: CircuitBreakers,
    pub(super) budgets: RetryBudgets,
    pub(super) durations: HistogramVec,
}

impl Core {
    pub(super) fn new(service: &'static str, clock: SharedClock, metrics: &Metrics) -> Self {
        let http = http_client(|builder| {
            builder
                .connect_timeout(CONNECT_TIMEOUT)
                .pool_idle_timeout(IDLE_TIMEOUT)
                .redirect(redirect::Policy::none())
                .no_proxy()
        });
        let http = match http {
            Ok(http) => http,
            Err(error) => unreachable!("a client without user settings can always be built: {error}"),
        };
        let durations = metrics.histogram_vec(
            "http_client_request_duration_seconds",
            "Duration of calls to other services.",
            &["server_address", "http_request_method", "http_response_status_code"],
        );
        let (breakers, budgets) = (CircuitBreakers::new(clock, metrics), RetryBudgets::new(metrics));
        Self { service, http, breakers, budgets, durations }
    }
}
