//! Requests to other services.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::Serialize;
use tokio::time::Instant;
use tracing::{Instrument, Span, field};
use url::Url;

use super::bearer::Bearer;
use super::circuit_breaker::{CircuitBreakers, MIN_BUDGET};
use super::core::Core;
use super::discovery::{Discovery, ResolvedInstance};
use super::error::CallError;
use super::response::ServiceResponse;
use crate::BoxError;
use crate::config::ServiceName;
use crate::fault::failpoint;
use crate::task::backoff::Backoff;
use crate::task::request_context::{self, REQUEST_ID, REQUEST_TIMEOUT};
use crate::telemetry;

/// Default timeout of an attempt.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Pauses before retries.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), TIMEOUT);
/// Maximum number of other instances that are tried if one accepts no connection.
const MAX_FAILOVERS: u32 = 3;
/// Maximum size of a response.
const MAX_RESPONSE_BYTES: usize = 8 * 1024 * 1024;

/// Request to another service that has not been sent yet.
#[must_use = "a call does nothing until it is sent"]
pub struct RequestBuilder {
    core: Arc<Core>,
    method: Method,
    to: ServiceName,
    base: Target,
    path: String,
    headers: HeaderMap,
    body: Bytes,
    timeout: Duration,
    retries: u32,
    accept_any_status: bool,
    fault: Option<BoxError>,
}

/// Target of a request.
pub(super) enum Target {
    /// Instance that discovery resolves.
    Discovered(Discovery),
    /// Fixed URL.
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

    /// Appends query parameters.
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

    /// Sets a header.
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

    async fn attempt(&self) -> Result<ServiceResponse, CallError> {
        let (method, server) = (self.method.as_str(), self.to.as_str());
        let span = tracing::info_span!(
            "http.client",
            otel.name = format!("{method} {server}"),
            otel.kind = "client",
            otel.status_code = field::Empty,
            service.name = self.core.service,
            http.request.method = method,
            server.address = server,
            http.response.status_code = field::Empty,
            error.type = field::Empty,
        );
        let left = request_context::deadline().map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let time = left.map_or(self.timeout, |left| left.min(self.timeout));
        if time.is_zero() {
            return Err(CallError::Timeout { to: self.to });
        }
        if !self.core.breakers.try_acquire_within(server, time) {
            let source = "it was late again and again, and is asked again in a moment".into();
            return Err(CallError::Unavailable { to: self.to, source });
        }
        let begun = Instant::now();
        // Only mutating calls leave a difference behind.
        let changes = self.method != Method::GET;
        let about = || format!("{} {method} {server} {}", self.core.service, failpoint::path_template(&self.path));
        if changes {
            failpoint::hit("before-call", about);
        }
        let outcome = self.exchange(time).instrument(span.clone()).await;
        if changes {
            failpoint::hit("after-call", about);
        }
        let status = match &outcome {
            Ok(answer) => answer.status.as_str(),
            Err(CallError::Timeout { .. }) => "timeout",
            Err(_) => "error",
        };
        let labels = [server, method, status];
        self.core.durations.with_label_values(&labels).observe(begun.elapsed().as_secs_f64());
        record(&span, &outcome);
        let answer = self.reject_gateway_errors(outcome?)?;
        if !answer.status.is_server_error() {
            self.core.budgets.deposit(server);
        }
        Ok(answer)
    }

    /// Exchanges request and response within `time`. The service is judged by the call's own timeout, not by the time
    /// that the caller's deadline or cancellation left.
    async fn exchange(&self, time: Duration) -> Result<ServiceResponse, CallError> {
        let mut verdict = Verdict { breakers: &self.core.breakers, to: self.to.as_str(), in_time: None };
        let mut asked = None;
        let outcome = tokio::time::timeout(time, self.send_with_failover(time, &mut asked)).await;
        let outcome = outcome.unwrap_or(Err(CallError::Timeout { to: self.to }));
        let late = matches!(outcome, Err(CallError::Timeout { .. }));
        if late && time < self.timeout.max(MIN_BUDGET) {
            return outcome;
        }
        let failed = match &outcome {
            // With less time, the service may only have exhausted the budget that we gave it.
            Ok(answer) => answer.status == StatusCode::SERVICE_UNAVAILABLE && time >= MIN_BUDGET,
            Err(CallError::Unavailable { .. } | CallError::Timeout { .. }) => true,
            Err(CallError::InvalidResponse { .. }) => false,
        };
        if let Some(found) = &asked {
            if failed {
                found.failed();
            } else {
                found.succeeded();
            }
        }
        // If one of several instances hangs, it is ejected and the others are used.
        let hangs = late && !asked.as_ref().is_some_and(ResolvedInstance::has_healthy_alternatives);
        verdict.in_time = Some(!hangs);
        outcome
    }

    /// Sends to an instance, which is stored in `asked`, or to another one if it accepts no connection.
    async fn send_with_failover(
        &self,
        time: Duration,
        asked: &mut Option<ResolvedInstance>,
    ) -> Result<ServiceResponse, CallError> {
        let unavailable = |source: BoxError| CallError::Unavailable { to: self.to, source };
        let discovery = match &self.base {
            Target::Discovered(discovery) => discovery,
            Target::Fixed(url) => {
                return self.send_to(url, time).await.map_err(|error| unavailable(error.without_url().into()))?;
            }
        };
        let mut others = MAX_FAILOVERS;
        loop {
            let found = discovery.resolve(self.to).await.map_err(|error| unavailable(error.into()))?;
            let found = asked.insert(found);
            match self.send_to(&found.url, time).await {
                Ok(answer) => return answer,
                // Nothing was sent, so any call may be repeated at another instance.
                Err(error) if error.is_connect() && others > 0 && found.has_alternatives() => {
                    found.failed();
                    others -= 1;
                }
                Err(error) => return Err(unavailable(error.without_url().into())),
            }
        }
    }

    /// Sends to the instance at this URL. The outer error means that no response arrived, the inner one that it is
    /// incomplete or too large.
    async fn send_to(&self, base: &Url, time: Duration) -> reqwest::Result<Result<ServiceResponse, CallError>> {
        let url = format!("{}{}", base.as_str().trim_end_matches('/'), self.path);
        let request = self.core.http.request(self.method.clone(), url).headers(self.headers_to_send(time));
        let mut response = request.body(self.body.clone()).send().await?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let body = self.read(response).await;
        Ok(body.map(|body| ServiceResponse { to: self.to, status, headers, body }))
    }

    fn headers_to_send(&self, time: Duration) -> HeaderMap {
        let mut headers = self.headers.clone();
        headers.insert(&REQUEST_TIMEOUT, HeaderValue::from(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)));
        headers.insert(http::header::USER_AGENT, HeaderValue::from_static(self.core.service));
        let passed_on = [
            (REQUEST_ID.clone(), request_context::request_id()),
            (HeaderName::from_static("traceparent"), telemetry::traceparent()),
        ];
        for (name, value) in passed_on {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
                headers.insert(name, value);
            }
        }
        headers
    }

    async fn read(&self, mut response: reqwest::Response) -> Result<Bytes, CallError> {
        let mut body = BytesMut::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > MAX_RESPONSE_BYTES => {
                    return Err(CallError::InvalidResponse { to: self.to, source: "the answer is too large".into() });
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return Ok(body.freeze()),
                Err(error) => {
                    return Err(CallError::Unavailable { to: self.to, source: error.without_url().into() });
                }
            }
        }
    }

    /// Returns the response unless it means that the service or one behind it is unavailable.
    fn reject_gateway_errors(&self, answer: ServiceResponse) -> Result<ServiceResponse, CallError> {
        const GATEWAY_ERRORS: [StatusCode; 3] =
            [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT];
        if GATEWAY_ERRORS.contains(&answer.status) && !self.accept_any_status {
            let source = format!("it answered {}", answer.status.as_u16()).into();
            return Err(CallError::Unavailable { to: self.to, source });
        }
        Ok(answer)
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

/// Outcome of a call for the circuit breaker. Dropped without one, as on cancellation, it is inconclusive.
struct Verdict<'a> {
    breakers: &'a CircuitBreakers,
    to: &'static str,
    in_time: Option<bool>,
}

impl Drop for Verdict<'_> {
    fn drop(&mut self) {
        match self.in_time {
            Some(in_time) => self.breakers.record(self.to, in_time),
            None => self.breakers.inconclusive(self.to),
        }
    }
}

fn record(span: &Span, outcome: &Result<ServiceResponse, CallError>) {
    match outcome {
        Ok(answer) => {
            span.record("http.response.status_code", answer.status());
            if answer.status.is_client_error() || answer.status.is_server_error() {
                span.record("otel.status_code", "ERROR");
            }
        }
        Err(_) => drop(span.record("otel.status_code", "ERROR")),
    }
}
