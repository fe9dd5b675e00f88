//! Calls to other services.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use rand::RngExt;
use serde::Serialize;
use tokio::time::Instant;
use tracing::{Instrument, Span, field};
use url::Url;

use super::bearer::Bearer;
use super::circuit_breaker::{Breakers, LEAST_BUDGET};
use super::core::Core;
use super::discovery::{Discovery, Found};
use super::error::CallError;
use super::response::Answer;
use crate::BoxError;
use crate::config::ServiceName;
use crate::fault::failpoint;
use crate::task::request_context::{self, REQUEST_ID, REQUEST_TIMEOUT};
use crate::telemetry;

/// The longest that a call takes, unless it says another time.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The pause before the first retry; it doubles with each one. Half of it is random.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// How many other instances are tried where one takes no connection.
const OTHER_INSTANCES: u32 = 3;
/// The largest answer that is read.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// A call to another service that has not been sent yet.
#[must_use = "a call does nothing until it is sent"]
pub struct Call {
    core: Arc<Core>,
    method: Method,
    to: ServiceName,
    base: Base,
    path: String,
    headers: HeaderMap,
    body: Bytes,
    timeout: Duration,
    retries: u32,
    any_status: bool,
    fault: Option<BoxError>,
}

/// Where the service is.
pub(super) enum Base {
    /// Wherever this finds it.
    Found(Discovery),
    /// Here.
    At(Url),
}

impl Call {
    pub(super) fn new(core: Arc<Core>, method: Method, to: ServiceName, base: Base, path: String) -> Self {
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        let any_status = false;
        Self { core, method, to, base, path, headers, body, timeout: TIMEOUT, retries: 0, any_status, fault: None }
    }

    /// Sends this token.
    pub fn bearer(self, bearer: &Bearer) -> Self {
        self.sensitive_header(AUTHORIZATION, &bearer.header())
    }

    /// Sends these credentials (HTTP Basic).
    pub(crate) fn basic(self, credentials: &str) -> Self {
        self.sensitive_header(AUTHORIZATION, &format!("Basic {credentials}"))
    }

    /// Adds to the query.
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

    /// Sends a JSON body.
    pub fn json<T: Serialize>(mut self, body: &T) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => self.body = body.into(),
            Err(error) => self.fault = Some(error.into()),
        }
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self
    }

    /// Sends a form as the body.
    pub(crate) fn form(mut self, form: &[(&str, &str)]) -> Self {
        match serde_urlencoded::to_string(form) {
            Ok(body) => self.body = body.into(),
            Err(error) => self.fault = Some(error.into()),
        }
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        self
    }

    /// Sends a header.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(value) => drop(self.headers.insert(HeaderName::from_static(name), value)),
            Err(error) => self.fault = Some(error.into()),
        }
        self
    }

    /// The longest that each attempt takes (5 s if not said); the request's own deadline counts too.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Tries so often again, after growing pauses, when the service is unavailable or late, as far as the budget for its
    /// retries goes: only for calls that may be repeated.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Takes every status as an [`Answer`], also one that says that a service is unavailable: for answers that are passed on.
    pub fn any_status(mut self) -> Self {
        self.any_status = true;
        self
    }

    /// Sends it.
    ///
    /// # Errors
    /// If the service does not answer in time or says that it is unavailable. A refusal is an [`Answer`].
    pub async fn send(mut self) -> Result<Answer, CallError> {
        if let Some(source) = self.fault.take() {
            return Err(CallError::BadAnswer { to: self.to, source });
        }
        let mut pause = FIRST_PAUSE;
        for _ in 0..self.retries {
            match self.attempt().await {
                Err(error) if error.is_retryable() => {
                    let pause_now = rand::rng().random_range(pause / 2..=pause);
                    let late =
                        request_context::deadline().is_some_and(|deadline| Instant::now() + pause_now >= deadline);
                    if late || !self.core.budgets.take(self.to.as_str()) {
                        return Err(error);
                    }
                    tokio::time::sleep(pause_now).await;
                    pause *= 2;
                }
                outcome => return outcome,
            }
        }
        self.attempt().await
    }

    async fn attempt(&self) -> Result<Answer, CallError> {
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
        // Only what changes something leaves a difference behind.
        let changes = self.method != Method::GET;
        let about = || format!("{} {method} {server} {}", self.core.service, failpoint::template(&self.path));
        if changes {
            failpoint::point("before-call", about);
        }
        let outcome = self.exchange(time).instrument(span.clone()).await;
        if changes {
            failpoint::point("after-call", about);
        }
        let status = match &outcome {
            Ok(answer) => answer.status.as_str(),
            Err(CallError::Timeout { .. }) => "timeout",
            Err(_) => "error",
        };
        let labels = [server, method, status];
        self.core.durations.with_label_values(&labels).observe(begun.elapsed().as_secs_f64());
        record(&span, &outcome);
        let answer = self.usable(outcome?)?;
        if !answer.status.is_server_error() {
            self.core.budgets.answered(server);
        }
        Ok(answer)
    }

    /// Asks for the answer within `time`. The callee is judged by the budget that the call itself gives it, never by what the
    /// caller's deadline or cancellation left of that.
    async fn exchange(&self, time: Duration) -> Result<Answer, CallError> {
        let mut verdict = Verdict { breakers: &self.core.breakers, to: self.to.as_str(), in_time: None };
        let mut asked = None;
        let outcome = tokio::time::timeout(time, self.ask_one(time, &mut asked)).await;
        let outcome = outcome.unwrap_or(Err(CallError::Timeout { to: self.to }));
        let late = matches!(outcome, Err(CallError::Timeout { .. }));
        if late && time < self.timeout.max(LEAST_BUDGET) {
            return outcome;
        }
        let failed = match &outcome {
            // In less time it may only have run out of the time that we gave it.
            Ok(answer) => answer.status == StatusCode::SERVICE_UNAVAILABLE && time >= LEAST_BUDGET,
            Err(CallError::Unavailable { .. } | CallError::Timeout { .. }) => true,
            Err(CallError::BadAnswer { .. }) => false,
        };
        if let Some(found) = &asked {
            if failed {
                found.failed();
            } else {
                found.answered();
            }
        }
        // Where one of several hangs, it is left out, and the others are asked.
        let hangs = late && !asked.as_ref().is_some_and(Found::has_fit_others);
        verdict.in_time = Some(!hangs);
        outcome
    }

    /// Asks an instance, which `asked` is then, or another one where that takes no connection.
    async fn ask_one(&self, time: Duration, asked: &mut Option<Found>) -> Result<Answer, CallError> {
        let unavailable = |source: BoxError| CallError::Unavailable { to: self.to, source };
        let discovery = match &self.base {
            Base::Found(discovery) => discovery,
            Base::At(url) => {
                return self.ask(url, time).await.map_err(|error| unavailable(error.without_url().into()))?;
            }
        };
        let mut others = OTHER_INSTANCES;
        loop {
            let found = discovery.resolve(self.to).await.map_err(|error| unavailable(error.into()))?;
            let found = asked.insert(found);
            match self.ask(&found.url, time).await {
                Ok(answer) => return answer,
                // Nothing was sent, so that any call may be made to another instance.
                Err(error) if error.is_connect() && others > 0 && found.has_others() => {
                    found.failed();
                    others -= 1;
                }
                Err(error) => return Err(unavailable(error.without_url().into())),
            }
        }
    }

    /// Asks the instance at this address. The outer error says that no answer came, the inner one that it broke off.
    async fn ask(&self, base: &Url, time: Duration) -> reqwest::Result<Result<Answer, CallError>> {
        let url = format!("{}{}", base.as_str().trim_end_matches('/'), self.path);
        let request = self.core.http.request(self.method.clone(), url).headers(self.headers_to_send(time));
        let mut response = request.body(self.body.clone()).send().await?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let body = self.read(response).await;
        Ok(body.map(|body| Answer { to: self.to, status, headers, body }))
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
                Ok(Some(chunk)) if body.len() + chunk.len() > MAX_ANSWER_BYTES => {
                    return Err(CallError::BadAnswer { to: self.to, source: "the answer is too large".into() });
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return Ok(body.freeze()),
                Err(error) => {
                    return Err(CallError::Unavailable { to: self.to, source: error.without_url().into() });
                }
            }
        }
    }

    /// The answer, unless it says that the service, or one behind it, is unavailable.
    fn usable(&self, answer: Answer) -> Result<Answer, CallError> {
        const AWAY: [StatusCode; 3] =
            [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT];
        if AWAY.contains(&answer.status) && !self.any_status {
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

/// What a call says about its callee. Dropped without one, as when the caller goes away, it says nothing.
struct Verdict<'a> {
    breakers: &'a Breakers,
    to: &'static str,
    in_time: Option<bool>,
}

impl Drop for Verdict<'_> {
    fn drop(&mut self) {
        match self.in_time {
            Some(in_time) => self.breakers.heard(self.to, in_time),
            None => self.breakers.inconclusive(self.to),
        }
    }
}

fn record(span: &Span, outcome: &Result<Answer, CallError>) {
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
