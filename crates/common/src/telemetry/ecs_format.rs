//! Log lines in Elastic Common Schema: a JSON object per line, with its trace and span
//! (<https://www.elastic.co/guide/en/ecs-logging/overview/current/intro.html>).

use std::fmt;

use chrono::SecondsFormat;
use opentelemetry::trace::TraceContextExt as _;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_opentelemetry::get_otel_context;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::clock::{Clock as _, SystemClock};
use super::inherited_fields::InheritedFields;

/// Version of the schema.
const ECS_VERSION: &str = "8.11.0";

/// Formatter for the lines of one service.
#[derive(Clone, Debug)]
pub(super) struct EcsFormat {
    /// `service.name`.
    pub(super) service: &'static str,
    /// `service.version`.
    pub(super) version: String,
    /// `service.environment`.
    pub(super) environment: String,
}

impl<S, N> FormatEvent<S, N> for EcsFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = Line(Map::new());
        let metadata = event.metadata();
        line.put("@timestamp", SystemClock.now().to_rfc3339_opts(SecondsFormat::Millis, true));
        line.put("log.level", metadata.level().as_str().to_ascii_lowercase());
        line.put("ecs.version", ECS_VERSION);
        line.put("log.logger", metadata.target());
        line.put("service.version", self.version.as_str());
        line.put("service.environment", self.environment.as_str());
        for known in context.event_scope().into_iter().flatten() {
            if let Some(known) = known.extensions().get::<InheritedFields>() {
                line.known("service.name", known.service.as_deref());
                line.known("order_id", known.order.as_deref());
            }
        }
        line.known("service.name", Some(self.service));
        if let Some(span) = context.lookup_current() {
            let known = tracing::dispatcher::get_default(|dispatch| get_otel_context(&span.id(), dispatch));
            if let Some(known) = known {
                let span = known.span();
                let ids = span.span_context();
                if ids.is_valid() {
                    line.put("trace.id", ids.trace_id().to_string());
                    line.put("span.id", ids.span_id().to_string());
                }
            }
        }
        // Recorded last: an event may name its service more precisely.
        event.record(&mut line);
        let text = serde_json::to_string(&line.0).map_err(|_| fmt::Error)?;
        writeln!(writer, "{text}")
    }
}

/// Fields of a line. Elasticsearch treats dotted names like nested objects.
struct Line(Map<String, Value>);

impl Line {
    /// Sets an inherited field unless an inner span or the event has set it.
    fn known(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value
            && !self.0.contains_key(schema_name(name))
        {
            self.put(name, value);
        }
    }

    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(schema_name(name).to_owned(), value.into());
    }
}

/// Returns the schema's name of a field.
fn schema_name(name: &str) -> &str {
    match name {
        "request_id" => "http.request.id",
        "order_id" | "order.id" => "labels.order_id",
        "payment_id" | "payment.id" => "labels.payment_id",
        "event_id" | "event.id" => "labels.event_id",
        "queue" => "labels.queue",
        "error" => "error.message",
        "duration_ms" => "event.duration_ms",
        other => other,
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), value);
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing::field;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;
    use crate::telemetry::captured::Captured;

    #[test]
    fn line_has_service_level_and_fields_of_the_schema() {
        let captured = Captured::default();
        let ecs = EcsFormat { service: "order-service", version: "1.2.3".to_owned(), environment: "test".to_owned() };
        let lines = tracing_subscriber::fmt::layer().event_format(ecs).with_writer(captured.clone());
        let spans = tracing_opentelemetry::layer().with_tracer(SdkTracerProvider::default().tracer("test"));
        let subscriber = tracing_subscriber::registry()
            .with(lines)
            .with(super::super::inherited_fields::InheritedFieldsLayer)
            .with(spans);
        tracing::subscriber::with_default(subscriber, || {
            let request = tracing::info_span!("request", service.name = "payment-service", order.id = field::Empty);
            request.record("order.id", field::display("o1"));
            let _entered = (request.entered(), tracing::info_span!("call").entered());
            tracing::warn!(request_id = "r1", attempts = 3, http.route = "/api/orders", "message failed");
        });
        let text = captured.text();
        let line: Value = serde_json::from_str(text.trim_end()).unwrap();
        for (name, value) in [
            ("log.level", "warn"),
            ("service.name", "payment-service"),
            ("labels.order_id", "o1"),
            ("service.version", "1.2.3"),
            ("service.environment", "test"),
            ("http.request.id", "r1"),
            ("http.route", "/api/orders"),
            ("message", "message failed"),
            ("ecs.version", ECS_VERSION),
        ] {
            assert_eq!(line[name], value, "{text}");
        }
        assert_eq!(line["attempts"], 3);
        assert!(line["@timestamp"].as_str().unwrap().ends_with('Z'));
    }
}
