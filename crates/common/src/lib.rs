//! The platform that every service stands on: configuration, telemetry, lifecycle, and the ports with their adapters.

pub mod auth;
pub mod bus;
pub mod cache;
pub mod census;
pub mod client;
pub mod clock;
pub mod config;
pub mod consumer;
pub mod crash;
pub mod database;
mod detached;
pub mod discovery;
pub mod effects;
pub mod faults;
pub mod http;
pub mod idempotency;
pub mod metrics;
pub mod outbox;
pub mod platform;
pub mod postgres;
pub mod private;
pub mod service;
pub mod sqlite;
pub mod store;
pub mod telemetry;
pub mod text;
pub mod worker;

/// Any error, where only its text matters to the caller.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An error with all that caused it, in one line: `cannot publish: connection refused`.
#[must_use]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
