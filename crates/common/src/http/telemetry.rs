//! What is seen of each request: its id, its trace, one log line, one observation.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use contracts::ErrorCode;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use prometheus::{HistogramVec, IntGauge};
use tokio::time::Instant;
use tracing::{Instrument, Span, field};

use super::{ApiError, HttpSettings, headers, limits, request_id};
use crate::fault::failpoint;
use crate::task::request_context::{REQUEST_ID, RequestContext};
use crate::telemetry;

/// The status that is noted for a request whose client went away before the answer (as nginx has it).
const CLIENT_WENT_AWAY: u16 = 499;

/// What observing needs of the service.
pub(super) struct Observer {
    settings: HttpSettings,
    durations: HistogramVec,
    active: IntGauge,
}

impl Observer {
    pub(super) fn new(settings: &HttpSettings) -> Self {
        let durations = settings.metrics.histogram_vec(
            "http_server_request_duration_seconds",
            "Time that requests take until their answer begins.",
            &["http_request_method", "http_route", "http_response_status_code"],
        );
        let active = settings.metrics.gauge_vec("http_server_active_requests", "Requests that are being handled.", &[]);
        let active = active.with_label_values::<&str>(&[]);
        Self { settings: settings.clone(), durations, active }
    }
}

/// Runs the rest as a request of its own id, trace and deadline.
pub(super) async fn observe(State(observer): State<Arc<Observer>>, mut request: Request, next: Next) -> Response {
    let allowed = request_id::time_allowed(request.headers(), observer.settings.request_timeout);
    let context = RequestContext {
        request_id: request_id::take_request_id(request.headers(), &*observer.settings.clock),
        deadline: limits::deadline(allowed),
    };
    let request_id = context.request_id.clone();
    request.extensions_mut().insert(observer.settings.trusted_proxies.clone());
    let personal = headers::is_personal(&request);
    let mut seen = Seen::begin(observer, &request, request_id.clone());
    let rest = async { in_our_form(next.run(request).await) };
    let mut response = context.scope(rest).instrument(seen.span.clone()).await;
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(&REQUEST_ID, id);
    }
    headers::protect(response.headers_mut(), personal);
    seen.status = response.status().as_u16();
    if response.status().is_success() && !matches!(seen.method, "GET" | "HEAD" | "OPTIONS") {
        let service = seen.observer.settings.service;
        failpoint::point("before-answer", || format!("{service} {} {}", seen.method, route(seen.path.as_ref())));
    }
    response
}

/// A request that is being handled. It is noted when this is dropped: also if the client goes away before the answer.
struct Seen {
    observer: Arc<Observer>,
    method: &'static str,
    path: Option<MatchedPath>,
    request_id: Arc<str>,
    begun: Instant,
    span: Span,
    status: u16,
}

impl Seen {
    fn begin(observer: Arc<Observer>, request: &Request, request_id: Arc<str>) -> Self {
        observer.active.inc();
        let method = known(request.method());
        let path = request.extensions().get::<MatchedPath>().cloned();
        let route = route(path.as_ref());
        let span = tracing::info_span!(
            "http.server",
            otel.name = format!("{method} {route}"),
            otel.kind = "server",
            otel.status_code = field::Empty,
            service.name = observer.settings.service,
            http.request.method = method,
            http.route = route,
            http.response.status_code = field::Empty,
            http.request.id = &*request_id,
            url.scheme = "http",
            order.id = field::Empty,
            error.type = field::Empty,
        );
        telemetry::continue_trace(&span, traceparent(request.headers()));
        Self { observer, method, path, request_id, begun: Instant::now(), span, status: CLIENT_WENT_AWAY }
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        let Self { observer, method, path, request_id, begun, span, status } = self;
        observer.active.dec();
        let (route, taken) = (route(path.as_ref()), begun.elapsed());
        let code = StatusCode::from_u16(*status).unwrap_or_default();
        observer.durations.with_label_values(&[*method, route, code.as_str()]).observe(taken.as_secs_f64());
        span.record("http.response.status_code", *status);
        if code.is_server_error() {
            span.record("otel.status_code", "ERROR");
            span.record("error.type", code.as_str());
        }
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

/// The template of the path: never the path itself, of which there are too many.
fn route(path: Option<&MatchedPath>) -> &str {
    path.map_or("unmatched", MatchedPath::as_str)
}

/// A method's name, if it is one that HTTP itself knows: a client can make up any number of others.
fn known(method: &Method) -> &'static str {
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

/// A refusal by a library, which is bare or plain text, in the form that ours have.
fn in_our_form(response: Response) -> Response {
    let status = response.status();
    let content_type = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let bare = content_type.is_none_or(|content_type| content_type.starts_with(b"text/plain"));
    if !bare || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (parts, _) = response.into_parts();
    let mut refusal = refusal(status).status(status.as_u16()).into_response();
    for (name, value) in &parts.headers {
        if name != CONTENT_TYPE && name != CONTENT_LENGTH {
            refusal.headers_mut().insert(name, value.clone());
        }
    }
    refusal
}

fn refusal(status: StatusCode) -> ApiError {
    match status {
        StatusCode::NOT_FOUND => ApiError::new(ErrorCode::NotFound, "There is nothing at this path"),
        // The header `Allow`, which the router adds further out, names those that it takes.
        StatusCode::METHOD_NOT_ALLOWED => {
            ApiError::new(ErrorCode::MethodNotAllowed, "This path does not take this method")
        }
        StatusCode::UNAUTHORIZED => ApiError::unauthenticated(),
        StatusCode::FORBIDDEN => ApiError::new(ErrorCode::Forbidden, "The caller may not do this"),
        StatusCode::PAYLOAD_TOO_LARGE => super::extract::too_large(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            ApiError::new(ErrorCode::UnsupportedMediaType, "The body is of a type that this call does not take")
        }
        StatusCode::GATEWAY_TIMEOUT | StatusCode::REQUEST_TIMEOUT => super::error::deadline_exceeded(),
        StatusCode::SERVICE_UNAVAILABLE => {
            ApiError::new(ErrorCode::ServiceUnavailable, "The service is unavailable at the moment")
        }
        _ if status.is_server_error() => ApiError::internal(format!("a bare answer with status {status}")),
        _ => ApiError::new(ErrorCode::MalformedBody, "The request cannot be read"),
    }
}
