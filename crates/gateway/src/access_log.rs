//! Access log and metrics of finished requests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderValue, Method};
use trace_context::http_span;
use tracing::Span;

use crate::body::UploadProgress;
use crate::connections::Connection;
use crate::metrics::{Metrics, Observation};
use crate::plugins::prometheus::Prometheus;
use crate::response_source::ResponseSource;
use crate::router::Target;

/// Entry of the access log. Dropping it writes the entry and the metrics: after the last byte of the response was sent, or
/// when the client disconnected.
#[derive(Debug)]
pub(crate) struct AccessLogEntry {
    method: Method,
    started_at: Instant,
    target: Option<Arc<Target>>,
    prometheus: Option<Arc<Prometheus>>,
    metrics: Arc<Metrics>,
    request_id: Option<HeaderValue>,
    upload: Arc<UploadProgress>,
    connection: Arc<Connection>,
    upstream_time: Option<Duration>,
    response: Option<ResponseInfo>,
    /// Size of the request's head in bytes.
    head: u64,
    /// Bytes of the response sent so far, head included.
    sent: u64,
    complete: bool,
    span: Span,
}

#[derive(Clone, Copy, Debug)]
struct ResponseInfo {
    status: u16,
    source: ResponseSource,
    /// Time from the first byte of the request's head to the head of the response.
    latency: Duration,
}

/// Status that nginx logs for a client that disconnected before the response.
const CLIENT_CLOSED_REQUEST: u16 = 499;
/// Status of a request whose client disconnected in the middle of the body.
const BAD_REQUEST: u16 = 400;

impl AccessLogEntry {
    pub(crate) fn new(
        method: Method,
        target: Option<Arc<Target>>,
        prometheus: Option<Arc<Prometheus>>,
        metrics: Arc<Metrics>,
        upload: Arc<UploadProgress>,
        connection: &Arc<Connection>,
        head: u64,
    ) -> Self {
        metrics.begin();
        connection.begin(Some(Arc::clone(&upload)));
        let route = target.as_ref().map_or("-", |target| &target.name);
        let span = http_span::server("gateway", method.as_str(), route);
        Self {
            method,
            started_at: Instant::now(),
            target,
            prometheus,
            metrics,
            request_id: None,
            upload,
            connection: Arc::clone(connection),
            upstream_time: None,
            response: None,
            head,
            sent: 0,
            complete: false,
            span,
        }
    }

    /// Returns the span of the request, which ends when the entry is dropped.
    pub(crate) const fn span(&self) -> &Span {
        &self.span
    }

    pub(crate) fn set_request_id(&mut self, id: HeaderValue) {
        if let Ok(id) = id.to_str() {
            self.span.record("http.request.id", id);
        }
        self.request_id = Some(id);
    }

    /// Sets the time until the upstream responded.
    pub(crate) fn set_upstream_time(&mut self, upstream_time: Duration) {
        self.upstream_time = Some(upstream_time);
    }

    /// Sets the response, where `head` is the size of its head in bytes.
    pub(crate) fn set_response(&mut self, status: http::StatusCode, source: ResponseSource, head: u64) {
        self.sent = self.sent.saturating_add(head);
        self.response = Some(ResponseInfo { status: status.as_u16(), source, latency: self.started_at.elapsed() });
    }

    pub(crate) fn add_sent(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.sent = self.sent.saturating_add(bytes);
    }

    pub(crate) fn set_complete(&mut self, complete: bool) {
        self.complete |= complete;
    }
}

impl Drop for AccessLogEntry {
    fn drop(&mut self) {
        let duration = self.started_at.elapsed();
        let without_response = if self.upload.is_broken() { BAD_REQUEST } else { CLIENT_CLOSED_REQUEST };
        let response = self.response.unwrap_or(ResponseInfo {
            status: without_response,
            source: ResponseSource::Exit,
            latency: duration,
        });
        let ResponseInfo { status, source, latency } = response;
        let route = self.target.as_ref().map_or("-", |target| &target.name);
        let id = self.request_id.as_ref();
        let id = id.and_then(|id| id.to_str().ok()).unwrap_or("-");
        let method = &self.method;
        let ms = duration.as_millis();
        // The response to HEAD is complete although its body is never read.
        let complete = self.complete || self.method == Method::HEAD;
        http_span::record_status(&self.span, status);
        let _entered = self.span.enter();
        tracing::info!(
            target: "gateway::access",
            {
            http.request.method = %method,
            http.route = route,
            http.response.status_code = status,
            http.request.id = id,
            http.response.source = source.name(),
            http.response.complete = complete,
            duration_ms = u64::try_from(ms).unwrap_or(u64::MAX),
            },
            "{method} on route {route} got {status} in {ms} ms",
        );
        self.metrics.end();
        self.connection.end();
        if let (Some(target), Some(prometheus)) = (&self.target, &self.prometheus) {
            let own = latency.saturating_sub(self.upstream_time.unwrap_or_default());
            self.metrics.observe(
                prometheus,
                target,
                &Observation {
                    status,
                    source,
                    own,
                    upstream: self.upstream_time,
                    total: duration,
                    received: self.head.saturating_add(self.upload.bytes()),
                    sent: self.sent,
                },
            );
        }
    }
}
