//! Logs and traces of the process.
//!
//! Spans follow the semantic conventions of OpenTelemetry and are sent by OTLP over HTTP if an address is set; the
//! trace context travels by W3C `traceparent`. Nothing personal or secret may stand in a span or a log line.

use std::collections::HashMap;
use std::io::IsTerminal;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::BoxError;
use crate::config::Env;

mod dropped;
mod ecs;

pub use dropped::spans_dropped;
use ecs::Ecs;

/// What is logged unless `RUST_LOG` says otherwise. The AMQP client would warn with the whole of a message that came
/// back.
pub const DEFAULT_FILTER: &str =
    "info,hyper_util=warn,lapin=error,reqwest=warn,sqlx=warn,opentelemetry=warn,opentelemetry_sdk=warn";

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// A JSON object a line in Elastic Common Schema, for a log store.
    Json,
}

/// Settings of logs and traces.
#[derive(Clone, Debug)]
pub struct Options {
    /// The name that spans carry, unless they say another.
    pub service: &'static str,
    /// `LOG_FORMAT`.
    pub format: Format,
    /// `RUST_LOG`: which lines (the syntax of `tracing-subscriber`).
    pub filter: String,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`: where spans go, if anywhere.
    pub otlp: Option<String>,
    /// `SERVICE_VERSION`: stands in each JSON line and with each span.
    pub version: String,
    /// `ENVIRONMENT`: the same.
    pub environment: String,
}

impl Options {
    /// From the environment.
    #[must_use]
    pub fn from_env(env: &Env, service: &'static str) -> Self {
        Self {
            service,
            format: if env.get("LOG_FORMAT") == Some("json") { Format::Json } else { Format::Text },
            filter: env.get("RUST_LOG").unwrap_or(DEFAULT_FILTER).to_owned(),
            otlp: env.get("OTEL_EXPORTER_OTLP_ENDPOINT").map(str::to_owned),
            version: env.get("SERVICE_VERSION").unwrap_or(env!("CARGO_PKG_VERSION")).to_owned(),
            environment: env.get("ENVIRONMENT").unwrap_or("development").to_owned(),
        }
    }
}

/// Sends what is left when it is dropped, at the end of the process.
#[derive(Debug)]
#[must_use = "spans that are not yet sent are lost without it"]
pub struct Guard(Option<SdkTracerProvider>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(provider) = self.0.take()
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "the last spans could not be sent");
        }
    }
}

/// Sets up logs and traces for the process, once.
///
/// # Errors
/// If the filter or the OTLP address is not valid, or it was done before.
pub fn init(options: &Options) -> Result<Guard, BoxError> {
    let filter = EnvFilter::try_new(&options.filter).map_err(|error| format!("RUST_LOG is wrong: {error}"))?;
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match options.format {
        Format::Json => tracing_subscriber::fmt::layer()
            .event_format(Ecs {
                service: options.service,
                version: options.version.clone(),
                environment: options.environment.clone(),
            })
            .with_writer(std::io::stderr)
            .with_filter(filter)
            .boxed(),
        Format::Text => tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            .with_filter(filter)
            .boxed(),
    };
    let provider = options.otlp.as_deref().map(|endpoint| provider(options.service, endpoint)).transpose()?;
    // Without an exporter the layer still makes trace ids, so that calls, messages and logs can be held together.
    let tracer = provider.clone().unwrap_or_default().tracer("shopfleet");
    let spans = tracing_opentelemetry::layer().with_tracer(tracer).with_filter(EnvFilter::new("info"));
    tracing_subscriber::registry().with(lines).with(spans).try_init()?;
    Ok(Guard(provider))
}

fn provider(service: &'static str, endpoint: &str) -> Result<SdkTracerProvider, BoxError> {
    let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
    crate::client::install_tls();
    let exporter =
        SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).with_endpoint(url).build().map_err(
            |error| format!("OTEL_EXPORTER_OTLP_ENDPOINT is wrong: {error}; for example http://127.0.0.1:4318"),
        )?;
    let resource = Resource::builder().with_service_name(service).build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

/// The W3C `traceparent` of the current span, if it belongs to a trace.
#[must_use]
pub fn traceparent() -> Option<String> {
    let context = Span::current().context();
    if !context.span().span_context().is_valid() {
        return None;
    }
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&context, &mut carrier);
    carrier.remove("traceparent")
}

/// The trace id of the current span as it stands in logs, if it belongs to a trace.
#[must_use]
pub fn trace_id() -> Option<String> {
    let context = Span::current().context();
    let span = context.span();
    let span = span.span_context();
    span.is_valid().then(|| span.trace_id().to_string())
}

/// Makes `span` a child of the span that `traceparent` names; one that is not valid is ignored.
pub fn continue_trace(span: &Span, traceparent: Option<&str>) {
    let Some(traceparent) = traceparent else { return };
    let carrier = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    let context = TraceContextPropagator::new().extract(&carrier);
    if context.span().span_context().is_valid() {
        // Fails only where no trace layer is installed: then there is no trace to continue.
        let _ = span.set_parent(context);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_goes_on_through_its_traceparent() {
        let provider = SdkTracerProvider::builder().build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let _guard = tracing_subscriber::registry().with(layer).set_default();
        assert_eq!(traceparent(), None);
        let span = tracing::info_span!("consume");
        continue_trace(&span, Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
        let _entered = span.enter();
        assert!(traceparent().unwrap().starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
        assert_eq!(trace_id().unwrap(), "0af7651916cd43dd8448eb211c80319c");
    }
}
