//! Calls from one service to another: discovery, deadlines, retries, circuit breakers, tracing and metrics.
//!
//! ```no_run
//! # async fn example(client: common::client::ServiceClient) -> Result<(), common::client::CallError> {
//! use common::client::ServiceName;
//!
//! let response = client.get(ServiceName::Product, "/api/products/1").retries(2).send().await?;
//! let product: Option<String> = if response.is_success() { Some(response.json()?) } else { None };
//! # Ok(()) }
//! ```

use std::sync::Arc;

use http::Method;
use url::Url;

use crate::telemetry::clock::SharedClock;
use crate::telemetry::metrics::Metrics;

mod attempt;
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
pub use circuit_breaker::CircuitBreakers;
pub use discovery::Discovery;
pub use error::CallError;
pub use http_client::http_client;
pub use request::RequestBuilder;
use request::Target;
pub use response::ServiceResponse;

/// Client for other services. It propagates the request's id, trace and deadline, and measures each call. Clones share
/// connections.
#[derive(Clone)]
pub struct ServiceClient {
    core: Arc<Core>,
    discovery: Discovery,
}

impl ServiceClient {
    /// Creates a client of the service `service`.
    #[must_use]
    pub fn new(service: &'static str, discovery: Discovery, clock: SharedClock, metrics: &Metrics) -> Self {
        Self { core: Arc::new(Core::new(service, clock, metrics)), discovery }
    }

    /// Begins a `GET` request.
    pub fn get(&self, to: ServiceName, path: impl Into<String>) -> RequestBuilder {
        self.call(Method::GET, to, path)
    }

    /// Begins a `POST` request.
    pub fn post(&self, to: ServiceName, path: impl Into<String>) -> RequestBuilder {
        self.call(Method::POST, to, path)
    }

    /// Begins a `PUT` request.
    pub fn put(&self, to: ServiceName, path: impl Into<String>) -> RequestBuilder {
        self.call(Method::PUT, to, path)
    }

    /// Begins a `PATCH` request.
    pub fn patch(&self, to: ServiceName, path: impl Into<String>) -> RequestBuilder {
        self.call(Method::PATCH, to, path)
    }

    /// Begins a `DELETE` request.
    pub fn delete(&self, to: ServiceName, path: impl Into<String>) -> RequestBuilder {
        self.call(Method::DELETE, to, path)
    }

    /// Begins a `GET` request to a fixed URL of the service `to`.
    pub(crate) fn get_at(&self, to: ServiceName, url: Url) -> RequestBuilder {
        RequestBuilder::new(self.core.clone(), Method::GET, to, Target::Fixed(url), String::new())
    }

    /// Begins a `GET` request to an instance that `discovery` resolves.
    pub(crate) fn get_by(&self, discovery: Discovery, to: ServiceName, path: &str) -> RequestBuilder {
        RequestBuilder::new(self.core.clone(), Method::GET, to, Target::Discovered(discovery), path.to_owned())
    }

    fn call(&self, method: Method, to: ServiceName, path: impl Into<String>) -> RequestBuilder {
        RequestBuilder::new(self.core.clone(), method, to, Target::Discovered(self.discovery.clone()), path.into())
    }
}
