//! Measurements and long runs: footprint, throughput, the cost of telemetry, mixed versions, live monitoring. Each runs
//! alone.

#![expect(clippy::unwrap_used, reason = "a test that meets an unexpected value fails")]

mod footprint;
mod monitoring;
mod outbox_throughput;
mod telemetry_cost;
mod versions;

/// Lock of the machine: measurements run one after another.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
