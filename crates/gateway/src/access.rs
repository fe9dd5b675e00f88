//! What is known of a request once it is over: one line of log, and the metrics.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderValue, Method};
use tracing::{Span, field};

use crate::body::Transfer;
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
    upstream: Option<Duration>,
    answered: Option<Answered>,
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

impl Record {
    pub(crate) fn new(
        method: Method,
        target: Option<Arc<Target>>,
        prometheus: Option<Arc<Prometheus>>,
        metrics: Arc<Metrics>,
        transfer: Arc<Transfer>,
    ) -> Self {
        metrics.begin();
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
            upstream: None,
            answered: None,
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

    pub(crate) fn answer(&mut self, status: http::StatusCode, source: Source) {
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
        let answered = self.answered.unwrap_or(Answered { status: CLIENT_LEFT, source: Source::Exit, after: duration });
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
                    received: self.transfer.bytes(),
                    sent: self.sent,
                },
            );
        }
    }
}
