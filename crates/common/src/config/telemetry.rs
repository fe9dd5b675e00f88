//! Telemetry options from the environment.

use super::env::Environment;
use crate::BoxError;
use crate::telemetry::{DEFAULT_FILTER, Format, Options, sampling};

impl Options {
    /// Reads the options from the environment.
    ///
    /// # Errors
    /// A variable is invalid.
    pub fn from_env(env: &Environment, service: &'static str) -> Result<Self, BoxError> {
        Ok(Self {
            service,
            format: if env.get("LOG_FORMAT") == Some("json") { Format::Json } else { Format::Text },
            filter: env.get("RUST_LOG").unwrap_or(DEFAULT_FILTER).to_owned(),
            otlp: env.get("OTEL_EXPORTER_OTLP_ENDPOINT").map(str::to_owned),
            sampler: sampling::sampler(env.get("OTEL_TRACES_SAMPLER"), env.get("OTEL_TRACES_SAMPLER_ARG"))?,
            version: env.get("SERVICE_VERSION").unwrap_or(env!("CARGO_PKG_VERSION")).to_owned(),
            environment: env.get("ENVIRONMENT").unwrap_or("development").to_owned(),
        })
    }
}
