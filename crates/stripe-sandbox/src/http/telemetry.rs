//! Request id, Stripe's response headers, a span in the trace of the client, and one log line at debug level.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use trace_context::http_span;
use tracing::{Instrument as _, Span};

use crate::{API_VERSION, ids};

/// Request id (`req_…`) in the `Request-Id` header and in the events that the request causes.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) String);

impl RequestId {
    /// Generates an id of the sandbox.
    pub(crate) fn generate() -> Self {
        Self(ids::new("req"))
    }
}

fn span(request: &Request) -> Span {
    let (method, path) = (request.method(), request.extensions().get::<MatchedPath>());
    let route = path.map_or("unmatched", MatchedPath::as_str);
    let span = http_span::server("stripe-sandbox", method.as_str(), route);
    let traceparent =
        request.headers().get(trace_context::TRACEPARENT).and_then(|traceparent| traceparent.to_str().ok());
    trace_context::continue_trace(&span, traceparent);
    span
}

/// Wraps a request in its telemetry. Neither the query nor headers are logged: they can contain client secrets and keys.
pub(crate) async fn layer(mut request: Request, next: Next) -> Response {
    let started_at = Instant::now();
    let id = RequestId::generate();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let key = request.headers().get("idempotency-key").cloned();
    request.extensions_mut().insert(id.clone());
    let span = span(&request);
    let mut response = next.run(request).instrument(span.clone()).await;
    http_span::record_status(&span, response.status().as_u16());
    let _entered = span.enter();
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        headers.insert(HeaderName::from_static("request-id"), value);
    }
    headers.insert(HeaderName::from_static("stripe-version"), HeaderValue::from_static(API_VERSION));
    if let Some(key) = key {
        headers.insert(HeaderName::from_static("idempotency-key"), key);
    }
    tracing::debug!(
        request.id = id.0,
        http.method = %method,
        http.path = path,
        http.status = response.status().as_u16(),
        duration_us = u64::try_from(started_at.elapsed().as_micros()).unwrap_or(u64::MAX),
        "request handled"
    );
    response
}
