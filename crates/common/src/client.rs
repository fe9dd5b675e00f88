//! Calls from one service to another.

mod answer;
mod breaker;
mod budget;
mod call;
mod error;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use prometheus::HistogramVec;
use reqwest::redirect;
use url::Url;

use crate::clock::SharedClock;
use crate::discovery::{Discovery, ServiceName};
use crate::metrics::Metrics;

pub use answer::Answer;
pub use breaker::Breakers;
use budget::RetryBudgets;
use call::Base;
pub use call::Call;
pub use error::CallError;
pub use tls::{http_client, install_tls};

/// The longest that connecting to a service takes: it is near, or it is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a connection that nobody uses is kept. Shorter than what servers wait, so that none is closed under a call.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Calls other services: it finds them, passes on the request's id, trace and deadline, and measures. Clones share their
/// connections.
#[derive(Clone)]
pub struct ServiceClient {
    service: &'static str,
    http: reqwest::Client,
    discovery: Discovery,
    breakers: Breakers,
    budgets: Arc<RetryBudgets>,
    durations: HistogramVec,
}

impl ServiceClient {
    /// A client of `service`'s.
    #[must_use]
    pub fn new(service: &'static str, discovery: Discovery, clock: SharedClock, metrics: &Metrics) -> Self {
        let http = http_client(|builder| {
            builder
                .connect_timeout(CONNECT_TIMEOUT)
                .pool_idle_timeout(IDLE_TIMEOUT)
                .redirect(redirect::Policy::none())
                .no_proxy()
        });
        let http = match http {
            Ok(http) => http,
            Err(error) => unreachable!("a client without settings of the user's can always be built: {error}"),
        };
        let durations = metrics.histogram_vec(
            "http_client_request_duration_seconds",
            "Time that calls to other services take.",
            &["server_address", "http_request_method", "http_response_status_code"],
        );
        let (breakers, budgets) = (Breakers::new(clock, metrics), Arc::new(RetryBudgets::new(metrics)));
        Self { service, http, discovery, breakers, budgets, durations }
    }

    /// A `GET`.
    pub fn get(&self, to: ServiceName, path: impl Into<String>) -> Call {
        self.call(Method::GET, to, path)
    }

    /// A `POST`.
    pub fn post(&self, to: ServiceName, path: impl Into<String>) -> Call {
        self.call(Method::POST, to, path)
    }

    /// A `PUT`.
    pub fn put(&self, to: ServiceName, path: impl Into<String>) -> Call {
        self.call(Method::PUT, to, path)
    }

    /// A `PATCH`.
    pub fn patch(&self, to: ServiceName, path: impl Into<String>) -> Call {
        self.call(Method::PATCH, to, path)
    }

    /// A `DELETE`.
    pub fn delete(&self, to: ServiceName, path: impl Into<String>) -> Call {
        self.call(Method::DELETE, to, path)
    }

    /// A `GET` of this address, which is `to`'s.
    pub(crate) fn get_at(&self, to: ServiceName, url: Url) -> Call {
        Call::new(self.clone(), Method::GET, to, Base::At(url), String::new())
    }

    /// A `GET` where `discovery` finds the service.
    pub(crate) fn get_by(&self, discovery: Discovery, to: ServiceName, path: &str) -> Call {
        Call::new(self.clone(), Method::GET, to, Base::Found(discovery), path.to_owned())
    }

    fn call(&self, method: Method, to: ServiceName, path: impl Into<String>) -> Call {
        Call::new(self.clone(), method, to, Base::Found(self.discovery.clone()), path.into())
    }
}
