//! Initialization of the logs and traces of a process.

use std::io::IsTerminal;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use super::ecs_format::EcsFormat;
use super::inherited_fields::InheritedFieldsLayer;
use super::options::{Format, Options};
use super::otlp;
use super::text_format::TextFormat;
use crate::BoxError;

/// Guard that exports the remaining spans when it is dropped at the end of the process.
#[derive(Debug)]
#[must_use = "pending spans are lost if the guard is dropped early"]
pub struct Guard(Option<SdkTracerProvider>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(provider) = self.0.take()
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "final export of spans failed");
        }
    }
}

/// Initializes logs and traces of the process, once.
///
/// # Errors
/// The filter or the OTLP endpoint is invalid, or telemetry was initialized before.
pub fn init(options: &Options) -> Result<Guard, BoxError> {
    let filter = EnvFilter::try_new(&options.filter).map_err(|error| format!("RUST_LOG is invalid: {error}"))?;
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match options.format {
        Format::Json => tracing_subscriber::fmt::layer()
            .event_format(EcsFormat {
                service: options.service,
                version: options.version.clone(),
                environment: options.environment.clone(),
            })
            .with_writer(std::io::stderr)
            .with_filter(filter)
            .and_then(InheritedFieldsLayer)
            .boxed(),
        Format::Text => tracing_subscriber::fmt::layer()
            .event_format(TextFormat)
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            .with_filter(filter)
            .boxed(),
    };
    let provider = options.otlp.as_deref().map(|endpoint| otlp::provider(options, endpoint)).transpose()?;
    // Without an exporter the layer still creates trace ids, so calls, messages and logs can be correlated.
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

/// Returns whether a span or event is traced: all spans, and warnings and errors within them.
fn is_traced(metadata: &Metadata<'_>) -> bool {
    let least = if metadata.is_span() { Level::INFO } else { Level::WARN };
    *metadata.level() <= least
}
