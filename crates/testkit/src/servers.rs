//! Real servers for tests: private ones, on free ports, in temporary folders, which end with the test's process.
//!
//! `servers::<name>()` gives the one that the tests of a process share; it is started when it is first asked for. A test
//! that stops or freezes its server starts its own by `servers::<Name>::start()`. What is missing is installed by
//! `tests/servers/install`; without it the answer is `None` and a line says so, and with `CI` set that is a failure.

use std::path::PathBuf;

mod consul;
mod jaeger;
mod keeper;
mod mongodb;
mod postgres;
mod prometheus;
mod rabbitmq;
mod redis;
mod spans;

pub use consul::{Consul, consul};
pub use jaeger::{Jaeger, jaeger};
pub use keeper::{Keeper, free_ports};
pub use mongodb::{MongoDb, mongodb};
pub use postgres::{Postgres, postgres};
pub use prometheus::{Exporter, Prometheus};
pub use rabbitmq::{RabbitMq, rabbitmq};
pub use redis::{Redis, redis};
pub use spans::{CLIENT, Span, Spans, begin_trace};

/// A program on the `PATH`, or where `tests/servers/install` or the system puts it.
fn find(name: &str, places: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = places.iter().map(PathBuf::from);
    let mut candidates = std::env::split_paths(&path).chain(places).map(|folder| folder.join(name));
    candidates.find(|candidate| candidate.is_file()).or_else(|| installed(name))
}

/// A program that `tests/servers/install` made itself.
fn installed(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("SHOPFLEET_SERVERS").map(PathBuf::from).or_else(|| {
        let home = std::env::var_os("HOME")?;
        Some(PathBuf::from(home).join(".cache/shopfleet/servers"))
    })?;
    [root.join("secantus/bin"), root].iter().map(|folder| folder.join(name)).find(|candidate| candidate.is_file())
}

/// Says that a server cannot be started, where whoever runs the tests sees it.
///
/// # Panics
/// With `CI` set: there, a test that was left out would look like one that passed.
#[expect(clippy::print_stderr, reason = "a test that is left out must be seen")]
fn missing(server: &str) {
    let line = format!("NOT TESTED on {server}: it is not installed; run tests/servers/install");
    assert!(std::env::var_os("CI").is_none(), "{line}");
    eprintln!("{line}");
}
