//! Attempts of a request: failover between instances, time limit, tracing and metrics.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tokio::time::Instant;
use tracing::{Instrument, Span};
use url::Url;

use super::circuit_breaker::{CircuitBreakers, MIN_BUDGET};
use super::discovery::ResolvedInstance;
use super::error::CallError;
use super::request::{RequestBuilder, Target};
use super::response::ServiceResponse;
use crate::BoxError;
use crate::fault::failpoint;
use crate::task::request_context::{self, REQUEST_ID, REQUEST_TIMEOUT};
use crate::telemetry::{self, http_span};

/// Maximum number of other instances that are tried if one accepts no connection.
const MAX_FAILOVERS: u32 = 3;
/// Maximum size of a response.
const MAX_RESPONSE_BYTES: usize = 8 * 1024 * 1024;

impl RequestBuilder {
    /// Makes one attempt at the call.
    pub(super) async fn attempt(&self) -> Result<ServiceResponse, CallError> {
        let (method, server) = (self.method.as_str(), self.to.as_str());
        let span = http_span::client(self.core.service, method, server);
        let left = request_context::deadline().map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let time = left.map_or(self.timeout, |left| left.min(self.timeout));
        if time.is_zero() {
            return Err(CallError::Timeout { to: self.to });
        }
        if !self.core.breakers.try_acquire_within(server, time) {
            let source = "the circuit breaker is open".into();
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
            Ok(response) => response.status.as_str(),
            Err(CallError::Timeout { .. }) => "timeout",
            Err(_) => "error",
        };
        let labels = [server, method, status];
        self.core.durations.with_label_values(&labels).observe(begun.elapsed().as_secs_f64());
        record(&span, &outcome);
        let response = self.reject_gateway_errors(outcome?)?;
        if !response.status.is_server_error() {
            self.core.budgets.deposit(server);
        }
        Ok(response)
    }

    /// Exchanges request and response within `time`. The service is judged by the call's own timeout, not by the time
    /// that the caller's deadline or cancellation left.
    async fn exchange(&self, time: Duration) -> Result<ServiceResponse, CallError> {
        let mut verdict = Verdict { breakers: &self.core.breakers, to: self.to.as_str(), in_time: None };
        let mut instance = None;
        let outcome = tokio::time::timeout(time, self.send_with_failover(time, &mut instance)).await;
        let outcome = outcome.unwrap_or(Err(CallError::Timeout { to: self.to }));
        let timed_out = matches!(outcome, Err(CallError::Timeout { .. }));
        if timed_out && time < self.timeout.max(MIN_BUDGET) {
            return outcome;
        }
        let failed = match &outcome {
            // With less time, the service may only have exhausted the budget that we gave it.
            Ok(response) => response.status == StatusCode::SERVICE_UNAVAILABLE && time >= MIN_BUDGET,
            Err(CallError::Unavailable { .. } | CallError::Timeout { .. }) => true,
            Err(CallError::InvalidResponse { .. }) => false,
        };
        if let Some(found) = &instance {
            if failed {
                found.failed();
            } else {
                found.succeeded();
            }
        }
        // If one of several instances hangs, it is ejected and the others are used.
        let hanging = timed_out && !instance.as_ref().is_some_and(ResolvedInstance::has_healthy_alternatives);
        verdict.in_time = Some(!hanging);
        outcome
    }

    /// Sends to an instance, which is stored in `instance`, or to another one if it accepts no connection.
    async fn send_with_failover(
        &self,
        time: Duration,
        instance: &mut Option<ResolvedInstance>,
    ) -> Result<ServiceResponse, CallError> {
        let unavailable = |source: BoxError| CallError::Unavailable { to: self.to, source };
        let discovery = match &self.base {
            Target::Discovered(discovery) => discovery,
            Target::Fixed(url) => {
                return self.send_to(url, time).await.map_err(|error| unavailable(error.without_url().into()))?;
            }
        };
        let mut failovers = MAX_FAILOVERS;
        loop {
            let found = discovery.resolve(self.to).await.map_err(|error| unavailable(error.into()))?;
            let found = instance.insert(found);
            match self.send_to(&found.url, time).await {
                Ok(response) => return response,
                // Nothing was sent, so any call may be repeated at another instance.
                Err(error) if error.is_connect() && failovers > 0 && found.has_alternatives() => {
                    found.failed();
                    failovers -= 1;
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
                    return Err(CallError::InvalidResponse { to: self.to, source: "the response is too large".into() });
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
    fn reject_gateway_errors(&self, response: ServiceResponse) -> Result<ServiceResponse, CallError> {
        const GATEWAY_ERRORS: [StatusCode; 3] =
            [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT];
        if GATEWAY_ERRORS.contains(&response.status) && !self.accept_any_status {
            let source = format!("status {}", response.status.as_u16()).into();
            return Err(CallError::Unavailable { to: self.to, source });
        }
        Ok(response)
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
        Ok(response) => {
            span.record("http.response.status_code", response.status());
            if response.status.is_client_error() || response.status.is_server_error() {
                span.record("otel.status_code", "ERROR");
            }
        }
        Err(_) => drop(span.record("otel.status_code", "ERROR")),
    }
}
