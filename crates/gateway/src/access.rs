//! What is known of a request once it is over: one line of log, and the metrics.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderValue, Method};
use tracing::{Span, field};

use crate::body::Transfer;
use crate::connections::Connection;
use crate::metrics::Metrics;
use crate::plugins::prometheus::Prometheus;
use crate::router::Target;

/// Who gave an answer, in Kong's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The upstream.
    Service,
    /// The gateway, before the upstream was asked.
    Exit,
    /// The gateway, since the upstream gave no answer.
    Error,
}

impl Source {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Exit => "exit",
            Self::Error => "error",
        }
    }

    /// The label `source` of `kong_http_requests_total`.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Exit | Self::Error => "kong",
        }
    }
}

/// Gathers what happens to a request, and writes it down when it is dropped: that is when the last byte of the answer
/// was sent, or when the client went away.
#[derive(Debug)]
pub(crate) struct Record {
    method: Method,
    begun: Instant,
    target: Option<Arc<Target>>,
    prometheus: Option<Arc<Prometheus>>,
    metrics: Arc<Metrics>,
    request_id: Option<HeaderValue>,
    transfer: Arc<Transfer>,
    connection: Arc<Connection>,
    upstream: Option<Duration>,
    answered: Option<Answered>,
    /// Bytes of the request's head.
    head: u64,
    /// Bytes of the answer so far, with its head.
    sent: u64,
    complete: bool,
    span: Span,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) source: Source,
    /// From the first byte of the request's head to the head of the answer.
    after: Duration,
}

/// What nginx writes down for a client that left before it got an answer.
const CLIENT_LEFT: u16 = 499;
/// What is written down for a client that left in the middle of a body.
const BAD_REQUEST: u16 = 400;

impl Record {
    pub(crate) fn new(
        method: Method,
        target: Option<Arc<Target>>,
        prometheus: Option<Arc<Prometheus>>,
        metrics: Arc<Metrics>,
        transfer: Arc<Transfer>,
        connection: &Arc<Connection>,
        head: u64,
    ) -> Self {
        metrics.begin();
        connection.begin(Some(Arc::clone(&transfer)));
        let route = target.as_ref().map_or("-", |target| &target.name);
        let span = tracing::info_span!(
            "http.server",
            otel.name = format!("{method} {route}"),
            otel.kind = "server",
            otel.status_code = field::Empty,
            service.name = "gateway",
            http.request.method = %method,
            http.route = route,
            http.response.status_code = field::Empty,
            http.request.id = field::Empty,
            error.type = field::Empty,
        );
        Self {
            method,
            begun: Instant::now(),
            target,
            prometheus,
            metrics,
            request_id: None,
            transfer,
            connection: Arc::clone(connection),
            upstream: None,
            answered: None,
            head,
            sent: 0,
            complete: false,
            span,
        }
    }

    /// The span of the request: it ends with this.
    pub(crate) const fn span(&self) -> &Span {
        &self.span
    }

    pub(crate) fn identify(&mut self, id: HeaderValue) {
        if let Ok(id) = id.to_str() {
            self.span.record("http.request.id", id);
        }
        self.request_id = Some(id);
    }

    /// How long the upstream was waited for.
    pub(crate) fn waited(&mut self, upstream: Duration) {
        self.upstream = Some(upstream);
    }

    /// `head` is the length of the answer's head in bytes.
    pub(crate) fn answer(&mut self, status: http::StatusCode, source: Source, head: u64) {
        self.sent = self.sent.saturating_add(head);
        self.answered = Some(Answered { status: status.as_u16(), source, after: self.begun.elapsed() });
    }

    pub(crate) fn sent(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.sent = self.sent.saturating_add(bytes);
    }

    pub(crate) fn body_ended(&mut self, ended: bool) {
        self.complete |= ended;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let duration = self.begun.elapsed();
        let left = if self.transfer.is_broken() { BAD_REQUEST } else { CLIENT_LEFT };
        let answered = self.answered.unwrap_or(Answered { status: left, source: Source::Exit, after: duration });
        let Answered { status, source, .. } = answered;
        let route = self.target.as_ref().map_or("-", |target| &target.name);
        let id = self.request_id.as_ref();
        let id = id.and_then(|id| id.to_str().ok()).unwrap_or("-");
        let method = &self.method;
        let ms = duration.as_millis();
        // The answer to HEAD, and one without a body, is complete though nobody reads its body.
        let complete = self.complete || self.method == Method::HEAD;
        self.span.record("http.response.status_code", status);
        if status >= 500 {
            self.span.record("otel.status_code", "ERROR").record("error.type", status);
        }
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
            let own = answered.after.saturating_sub(self.upstream.unwrap_or_default());
            self.metrics.observe(
                prometheus,
                target,
                &crate::metrics::Observation {
                    status,
                    source,
                    own,
                    upstream: self.upstream,
                    total: duration,
                    received: self.head.saturating_add(self.transfer.bytes()),
                    sent: self.sent,
                },
            );
        }
    }
}
