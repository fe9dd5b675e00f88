//! An id for each request, Stripe's headers on each answer, and one line of the log at debug.

use std::time::Instant;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use crate::{API_VERSION, ids};

/// `req_…`, as it stands in the `Request-Id` header and in the events that the request causes.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) String);

impl RequestId {
    /// A new id.
    pub(crate) fn generate() -> Self {
        Self(ids::new("req"))
    }
}

/// Neither the query nor any header is logged: they can hold client secrets and keys.
pub(crate) async fn layer(mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = RequestId::generate();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let key = request.headers().get("idempotency-key").cloned();
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).await;
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
        duration_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
        "the sandbox answered a request"
    );
    response
}
