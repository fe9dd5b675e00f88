//! Telemetry of requests: id, trace, access log and metrics.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use contracts::ErrorCode;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use prometheus::{HistogramVec, IntGauge};
use tokio::time::Instant;
use tracing::{Instrument, Span};

use super::{ApiError, HttpSettings, headers, limits, request_id};
use crate::fault::failpoint;
use crate::task::request_context::{REQUEST_ID, RequestContext};
use crate::telemetry::{self, http_span};

/// Recorded status of a request whose client disconnected before the response (as in nginx).
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// Settings and metrics of the layer.
pub(super) struct RequestTelemetry {
    settings: HttpSettings,
    durations: HistogramVec,
    active: IntGauge,
}

impl RequestTelemetry {
    pub(super) fn new(settings: &HttpSettings) -> Self {
        let durations = settings.metrics.histogram_vec(
            "http_server_request_duration_seconds",
            "Time until the response begins.",
            &["http_request_method", "http_route", "http_response_status_code"],
        );
        let active = settings.metrics.gauge_vec("http_server_active_requests", "Requests in progress.", &[]);
        let active = active.with_label_values::<&str>(&[]);
        Self { settings: settings.clone(), durations, active }
    }
}

/// Runs the inner layers with the request's id, trace and deadline.
pub(super) async fn request_telemetry(
    State(telemetry): State<Arc<RequestTelemetry>>,
    mut request: Request,
    next: Next,
) -> Response {
    let allowed = request_id::time_allowed(request.headers(), telemetry.settings.request_timeout);
    let context = RequestContext {
        request_id: request_id::take_request_id(request.headers(), &*telemetry.settings.clock),
        deadline: limits::deadline(allowed),
    };
    let request_id = context.request_id.clone();
    request.extensions_mut().insert(telemetry.settings.trusted_proxies.clone());
    let personal = headers::is_personal(&request);
    let mut in_flight = InFlightRequest::begin(telemetry, &request, request_id.clone());
    let rest = async { to_problem_json(next.run(request).await) };
    let mut response = context.scope(rest).instrument(in_flight.span.clone()).await;
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(&REQUEST_ID, id);
    }
    headers::protect(response.headers_mut(), personal);
    in_flight.status = response.status().as_u16();
    if response.status().is_success() && !matches!(in_flight.method, "GET" | "HEAD" | "OPTIONS") {
        let service = in_flight.telemetry.settings.service;
        failpoint::hit("before-response", || {
            format!("{service} {} {}", in_flight.method, route(in_flight.path.as_ref()))
        });
    }
    response
}

/// Request in progress. It is recorded when it is dropped, also if the client disconnects before the response.
struct InFlightRequest {
    telemetry: Arc<RequestTelemetry>,
    method: &'static str,
    path: Option<MatchedPath>,
    request_id: Arc<str>,
    begun: Instant,
    span: Span,
    status: u16,
}

impl InFlightRequest {
    fn begin(telemetry: Arc<RequestTelemetry>, request: &Request, request_id: Arc<str>) -> Self {
        telemetry.active.inc();
        let method = method_label(request.method());
        let path = request.extensions().get::<MatchedPath>().cloned();
        let route = route(path.as_ref());
        let span = http_span::server(telemetry.settings.service, method, route);
        span.record("http.request.id", &*request_id);
        telemetry::continue_trace(&span, traceparent(request.headers()));
        Self { telemetry, method, path, request_id, begun: Instant::now(), span, status: CLIENT_CLOSED_REQUEST }
    }
}

impl Drop for InFlightRequest {
    fn drop(&mut self) {
        let Self { telemetry, method, path, request_id, begun, span, status } = self;
        telemetry.active.dec();
        let (route, taken) = (route(path.as_ref()), begun.elapsed());
        let code = StatusCode::from_u16(*status).unwrap_or_default();
        telemetry.durations.with_label_values(&[*method, route, code.as_str()]).observe(taken.as_secs_f64());
        http_span::record_status(span, *status);
        span.in_scope(|| {
            tracing::info!(
                target: "access",
                {
                    http.request.method = *method,
                    http.route = route,
                    http.response.status_code = *status,
                    duration_ms = u64::try_from(taken.as_millis()).unwrap_or(u64::MAX),
                    request_id = &**request_id,
                },
                "{method} {route} {status}"
            );
        });
    }
}

/// Returns the template of the path, which bounds the number of labels.
fn route(path: Option<&MatchedPath>) -> &str {
    path.map_or("unmatched", MatchedPath::as_str)
}

/// Returns the name of a standard method; clients could send any number of other ones.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::CONNECT => "CONNECT",
        _ => "_OTHER",
    }
}

fn traceparent(headers: &HeaderMap) -> Option<&str> {
    headers.get("traceparent").and_then(|value| value.to_str().ok())
}

/// Converts an error of a library, which is empty or plain text, into a problem response.
fn to_problem_json(response: Response) -> Response {
    let status = response.status();
    let content_type = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let bare = content_type.is_none_or(|content_type| content_type.starts_with(b"text/plain"));
    if !bare || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (parts, _) = response.into_parts();
    let mut problem = problem(status).status(status.as_u16()).into_response();
    for (name, value) in &parts.headers {
        if name != CONTENT_TYPE && name != CONTENT_LENGTH {
            problem.headers_mut().insert(name, value.clone());
        }
    }
    problem
}

fn problem(status: StatusCode) -> ApiError {
    match status {
        StatusCode::NOT_FOUND => ApiError::new(ErrorCode::NotFound, "Path not found"),
        // The router adds the header `Allow` further out.
        StatusCode::METHOD_NOT_ALLOWED => ApiError::new(ErrorCode::MethodNotAllowed, "Method not allowed"),
        StatusCode::UNAUTHORIZED => ApiError::unauthenticated(),
        StatusCode::FORBIDDEN => ApiError::new(ErrorCode::Forbidden, "Access denied"),
        StatusCode::PAYLOAD_TOO_LARGE => super::extract::too_large(contracts::limits::MAX_BODY_BYTES),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ApiError::new(ErrorCode::UnsupportedMediaType, "Unsupported media type"),
        StatusCode::GATEWAY_TIMEOUT | StatusCode::REQUEST_TIMEOUT => super::error::deadline_exceeded(),
        StatusCode::SERVICE_UNAVAILABLE => {
            ApiError::new(ErrorCode::ServiceUnavailable, "Service unavailable, retry later")
        }
        _ if status.is_server_error() => ApiError::internal(format!("bare response with status {status}")),
        _ => ApiError::new(ErrorCode::MalformedBody, "Malformed request"),
    }
}
