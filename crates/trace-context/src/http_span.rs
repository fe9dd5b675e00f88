//! Spans of HTTP requests, with the fields of OpenTelemetry's conventions
//! (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>).

use tracing::{Span, field};

/// Creates the span of a request that `service` handles. `route` is the template of the path, which bounds the number of
/// names. The status is set by [`record_status`]; `http.request.id` and `order.id` are recorded once they are known.
#[must_use]
pub fn server(service: &str, method: &str, route: &str) -> Span {
    tracing::info_span!(
        "http.server",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = field::Empty,
        service.name = service,
        http.request.method = method,
        http.route = route,
        http.response.status_code = field::Empty,
        http.request.id = field::Empty,
        url.scheme = "http",
        order.id = field::Empty,
        error.type = field::Empty,
    )
}

/// Creates the span of a request that `service` sends to the service `server`, as a child of the current span.
#[must_use]
pub fn client(service: &str, method: &str, server: &str) -> Span {
    tracing::info_span!(
        "http.client",
        otel.name = format!("{method} {server}"),
        otel.kind = "client",
        otel.status_code = field::Empty,
        service.name = service,
        http.request.method = method,
        server.address = server,
        http.response.status_code = field::Empty,
        error.type = field::Empty,
    )
}

/// Records the status of the response. One of 500 or more marks the span as failed.
pub fn record_status(span: &Span, status: u16) {
    span.record("http.response.status_code", status);
    if status >= 500 {
        span.record("otel.status_code", "ERROR").record("error.type", status.to_string());
    }
}
