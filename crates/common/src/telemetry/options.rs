//! Options of logs and traces.

use opentelemetry_sdk::trace::Sampler;

/// Default of `RUST_LOG`. The AMQP client would log the whole of a returned message.
pub const DEFAULT_FILTER: &str =
    "info,hyper_util=warn,lapin=error,reqwest=warn,sqlx=warn,opentelemetry=warn,opentelemetry_sdk=warn";

/// Format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text for people.
    Text,
    /// JSON object per line in Elastic Common Schema, for a log store.
    Json,
}

/// Options of logs and traces.
#[derive(Clone, Debug)]
pub struct Options {
    /// Default service name of spans.
    pub service: &'static str,
    /// `LOG_FORMAT`.
    pub format: Format,
    /// `RUST_LOG`: filter of log lines in the syntax of `tracing-subscriber`.
    pub filter: String,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`: endpoint for spans.
    pub otlp: Option<String>,
    /// `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG`: sampler of traces.
    pub sampler: Sampler,
    /// `SERVICE_VERSION`: version in JSON lines and spans.
    pub version: String,
    /// `ENVIRONMENT`: environment in JSON lines and spans.
    pub environment: String,
}
