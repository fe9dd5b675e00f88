#![doc = include_str!("../README.md")]

pub mod http_span;

use std::collections::HashMap;

use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Name of the header, message property and column that contain the trace context.
pub const TRACEPARENT: &str = "traceparent";

/// Returns the `traceparent` of the current span, if it belongs to a trace.
#[must_use]
pub fn traceparent() -> Option<String> {
    traceparent_of(&Span::current())
}

/// Returns the `traceparent` of a span, if it belongs to a trace.
#[must_use]
pub fn traceparent_of(span: &Span) -> Option<String> {
    let context = span.context();
    if !context.span().span_context().is_valid() {
        return None;
    }
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&context, &mut carrier);
    carrier.remove(TRACEPARENT)
}

/// Returns the trace id of the current span in the format of logs, if it belongs to a trace.
#[must_use]
pub fn trace_id() -> Option<String> {
    let context = Span::current().context();
    let span = context.span();
    let span = span.span_context();
    span.is_valid().then(|| span.trace_id().to_string())
}

/// Makes a span a child of the span in `traceparent`. An invalid value is ignored.
pub fn continue_trace(span: &Span, traceparent: Option<&str>) {
    if let Some(context) = traceparent.and_then(parse) {
        // Fails only without a trace layer, when there is no trace to continue.
        let _ = span.set_parent(context);
    }
}

fn parse(traceparent: &str) -> Option<Context> {
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
    context.span().span_context().is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;

    use super::*;

    #[test]
    fn trace_continues_from_its_traceparent() {
        let provider = SdkTracerProvider::builder().build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let _guard = tracing_subscriber::registry().with(layer).set_default();
        assert_eq!(traceparent(), None);
        let span = tracing::info_span!("consume");
        continue_trace(&span, Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
        assert!(traceparent_of(&span).is_some_and(|own| own.starts_with("00-0af7651916cd43dd8448eb211c80319c-")));
        let _entered = span.enter();
        assert_eq!(traceparent(), traceparent_of(&span));
        assert_eq!(trace_id().as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
    }

    #[test]
    fn invalid_traceparent_is_ignored() {
        let provider = SdkTracerProvider::builder().build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let _guard = tracing_subscriber::registry().with(layer).set_default();
        for invalid in ["", "00", "00-00000000000000000000000000000000-b7ad6b7169203331-01", "\u{e9}"] {
            assert!(parse(invalid).is_none(), "{invalid}");
        }
        let span = tracing::info_span!("consume");
        continue_trace(&span, Some("nonsense"));
        assert!(traceparent_of(&span).is_some(), "the span has a trace of its own");
    }
}
