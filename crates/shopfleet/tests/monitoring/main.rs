//! What watches the fleet, as far as it can be checked without running: alerts and their pages, dashboards, logs.

#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect fails")]

mod alerts;
mod dashboards;
mod known;
mod logs;
mod promql;
#[path = "../support.rs"]
mod support;
