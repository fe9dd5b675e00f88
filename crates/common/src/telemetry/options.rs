//! Settings of logs and traces.

use opentelemetry_sdk::trace::Sampler;

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
    /// `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG`: which traces are sent.
    pub sampler: Sampler,
    /// `SERVICE_VERSION`: stands in each JSON line and with each span.
    pub version: String,
    /// `ENVIRONMENT`: the same.
    pub environment: String,
}
