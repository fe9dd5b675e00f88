//! Requests to other services.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Serialize;
use tokio::time::Instant;
use url::Url;

use super::bearer::Bearer;
use super::core::Core;
use super::discovery::Discovery;
use super::error::CallError;
use super::response::ServiceResponse;
use crate::BoxError;
use crate::config::ServiceName;
use crate::task::backoff::Backoff;
use crate::task::request_context;

/// Default timeout of an attempt.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Pauses before retries.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), TIMEOUT);
/// Request to another service that has not been sent yet.
#[must_use = "a request does nothing until it is sent"]
pub struct RequestBuilder {
    pub(super) core: Arc<Core>,
    pub(super) method: Method,
    pub(super) to: ServiceName,
    pub(super) base: Target,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) timeout: Duration,
    retries: u32,
    pub(super) accept_any_status: bool,
    fault: Option<BoxError>,
}

/// Target of a request.
pub(super) enum Target {
    /// Call target: instance that discovery resolves.
    Discovered(Discovery),
    /// Call target: fixed URL.
    Fixed(Url),
}

impl RequestBuilder {
    pub(super) fn new(core: Arc<Core>, method: Method, to: ServiceName, base: Target, path: String) -> Self {
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        let accept_any_status = false;
        Self {
            core,
            method,
            to,
            base,
            path,
            headers,
            body,
            timeout: TIMEOUT,
            retries: 0,
            accept_any_status,
            fault: None,
        }
    }

    /// Sets the bearer token.
    pub fn bearer(self, bearer: &Bearer) -> Self {
        self.sensitive_header(AUTHORIZATION, &bearer.header())
    }

    /// Sets HTTP Basic credentials.
    pub(crate) fn basic(self, credentials: &str) -> Self {
        self.sensitive_header(AUTHORIZATION, &format!("Basic {credentials}"))
    }

    /// Appends query parameters to the request.
    pub fn query<T: Serialize>(mut self, query: &T) -> Self {
        match serde_urlencoded::to_string(query) {
            Ok(text) if text.is_empty() => {}
            Ok(text) => {
                self.path.push(if self.path.contains('?') { '&' } else { '?' });
                self.path.push_str(&text);
            }
            Err(error) => self.fault = Some(error.into()),
        }
        self
    }

    /// Sets a JSON body.
    pub fn json<T: Serialize>(mut self, body: &T) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => self.body = body.into(),
            Err(error) => self.fault = Some(error.into()),
        }
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self
    }

    /// Sets a form body.
    pub(crate) fn form(mut self, form: &[(&str, &str)]) -> Self {
        match serde_urlencoded::to_string(form) {
            Ok(body) => self.body = body.into(),
            Err(error) => self.fault = Some(error.into()),
        }
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        self
    }

    /// Sets a header of the request.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(value) => drop(self.headers.insert(HeaderName::from_static(name), value)),
            Err(error) => self.fault = Some(error.into()),
        }
        self
    }

    /// Sets the maximum time of each attempt (5 s by default); the request's deadline applies as well.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the number of retries after unavailability or timeouts, within the retry budget. Only for idempotent
    /// requests.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Returns every status as a [`ServiceResponse`], including those of an unavailable service, for responses that are
    /// forwarded.
    pub fn accept_any_status(mut self) -> Self {
        self.accept_any_status = true;
        self
    }

    /// Sends the request.
    ///
    /// # Errors
    /// The service timed out or is unavailable. A 4xx response is a [`ServiceResponse`].
    pub async fn send(mut self) -> Result<ServiceResponse, CallError> {
        if let Some(source) = self.fault.take() {
            return Err(CallError::InvalidResponse { to: self.to, source });
        }
        for failures in 1..=self.retries {
            match self.attempt().await {
                Err(error) if error.is_retryable() => {
                    let pause = BACKOFF.jittered(failures);
                    let expires =
                        request_context::deadline().is_some_and(|deadline| Instant::now() + pause >= deadline);
                    if expires || !self.core.budgets.withdraw(self.to.as_str()) {
                        return Err(error);
                    }
                    tokio::time::sleep(pause).await;
                }
                outcome => return outcome,
            }
        }
        self.attempt().await
    }

    fn sensitive_header(mut self, name: HeaderName, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(mut value) => {
                value.set_sensitive(true);
                self.headers.insert(name, value);
            }
            Err(error) => self.fault = Some(error.into()),
        }
        self
    }
}
