//! Logs and traces of the process.
//!
//! Spans follow the semantic conventions of OpenTelemetry and are sent by OTLP over HTTP if an address is set; the
//! trace context travels by W3C `traceparent`. Nothing personal or secret may stand in a span or a log line.

use std::io::IsTerminal;

use contracts::OrderId;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::field::display;
use tracing::{Level, Metadata, Span};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::BoxError;
use crate::config::Env;

mod dropped;
mod ecs;
mod export;
mod known;
mod plain;
pub(crate) mod sampling;

pub use dropped::spans_dropped;
use ecs::Ecs;
use known::Knowing;
use plain::Plain;
pub use trace_context::{TRACEPARENT, continue_trace, trace_id, traceparent, traceparent_of};

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

impl Options {
    /// From the environment.
    ///
    /// # Errors
    /// If a variable is wrong.
    pub fn from_env(env: &Env, service: &'static str) -> Result<Self, BoxError> {
        Ok(Self {
            service,
            format: if env.get("LOG_FORMAT") == Some("json") { Format::Json } else { Format::Text },
            filter: env.get("RUST_LOG").unwrap_or(DEFAULT_FILTER).to_owned(),
            otlp: env.get("OTEL_EXPORTER_OTLP_ENDPOINT").map(str::to_owned),
            sampler: sampling::sampler(env)?,
            version: env.get("SERVICE_VERSION").unwrap_or(env!("CARGO_PKG_VERSION")).to_owned(),
            environment: env.get("ENVIRONMENT").unwrap_or("development").to_owned(),
        })
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
            .and_then(Knowing)
            .boxed(),
        Format::Text => tracing_subscriber::fmt::layer()
            .event_format(Plain)
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            .with_filter(filter)
            .boxed(),
    };
    let provider = options.otlp.as_deref().map(|endpoint| export::provider(options, endpoint)).transpose()?;
    // Without an exporter the layer still makes trace ids, so that calls, messages and logs can be held together.
    let tracer = provider.clone().unwrap_or_default().tracer("shopfleet");
    let spans = tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false)
        .with_filter(filter_fn(is_traced));
    tracing_subscriber::registry().with(lines).with(spans).try_init()?;
    Ok(Guard(provider))
}

/// Notes which order the current request or message is about: it stands in its span, and in what is logged within it.
pub fn about_order(order: OrderId) {
    Span::current().record("order.id", display(order));
}

/// Spans as they are made; of what is logged within them only what went wrong.
fn is_traced(metadata: &Metadata<'_>) -> bool {
    let least = if metadata.is_span() { Level::INFO } else { Level::WARN };
    *metadata.level() <= least
}
