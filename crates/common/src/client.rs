//! Calls from one service to another.

use std::sync::Arc;

use http::Method;
use url::Url;

use crate::telemetry::clock::SharedClock;
use crate::telemetry::metrics::Metrics;

mod bearer;
mod circuit_breaker;
mod core;
pub mod discovery;
mod error;
mod http_client;
mod request;
mod response;
mod retry_budget;

use self::core::Core;
pub use crate::config::ServiceName;
pub use crate::telemetry::install_tls;
pub use bearer::Bearer;
pub use circuit_breaker::Breakers;
pub use discovery::Discovery;
pub use error::CallError;
pub use http_client::http_client;
use request::Base;
pub use request::Call;
pub use response::Answer;

/// Calls other services: it finds them, passes on the request's id, trace and deadline, and measures. Clones share their
/// connections.
#[derive(Clone)]
pub struct ServiceClient {
    core: Arc<Core>,
    discovery: Discovery,
}

impl ServiceClient {
    /// A client of `service`'s.
    #[must_use]
    pub fn new(service: &'static str, discovery: Discovery, clock: SharedClock, metrics: &Metrics) -> Self {
        Self { core: Arc::new(Core::new(service, clock, metrics)), discovery }
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
        Call::new(self.core.clone(), Method::GET, to, Base::At(url), String::new())
    }

    /// A `GET` where `discovery` finds the service.
    pub(crate) fn get_by(&self, discovery: Discovery, to: ServiceName, path: &str) -> Call {
        Call::new(self.core.clone(), Method::GET, to, Base::Found(discovery), path.to_owned())
    }

    fn call(&self, method: Method, to: ServiceName, path: impl Into<String>) -> Call {
        Call::new(self.core.clone(), method, to, Base::Found(self.discovery.clone()), path.into())
    }
}
