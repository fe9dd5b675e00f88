//! Real servers: private instances on free ports and in temporary folders, terminated with the owning process.
//!
//! `tests/servers/install` installs the programs; [`HarnessError::NotInstalled`] names a missing one.

use std::path::PathBuf;

use crate::{HarnessError, HarnessResult};

mod consul;
mod jaeger;
mod managed_process;
mod mongodb;
mod postgres;
mod prometheus;
mod rabbitmq;
mod redis;
mod spans;

pub use consul::Consul;
pub use jaeger::Jaeger;
pub use managed_process::{ManagedProcess, free_ports};
pub use mongodb::MongoDb;
pub use postgres::Postgres;
pub use prometheus::{Exporter, Prometheus};
pub use rabbitmq::RabbitMq;
pub use redis::Redis;
pub use spans::{CLIENT, Span, Spans, begin_trace};

/// Finds a program on the `PATH`, or where `tests/servers/install` or the system puts it.
fn find(name: &str, folders: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = folders.iter().map(PathBuf::from);
    let mut candidates = std::env::split_paths(&path).chain(folders).map(|folder| folder.join(name));
    candidates.find(|candidate| candidate.is_file()).or_else(|| installed(name))
}

/// Finds a program that `tests/servers/install` built.
fn installed(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("SHOPFLEET_SERVERS").map(PathBuf::from).or_else(|| {
        let home = std::env::var_os("HOME")?;
        Some(PathBuf::from(home).join(".cache/shopfleet/servers"))
    })?;
    [root.join("secantus/bin"), root].iter().map(|folder| folder.join(name)).find(|candidate| candidate.is_file())
}

/// Returns a program that was found, or the error that names its server. `TEST_SERVERS=none` disables all servers.
fn require(program: Option<PathBuf>, server: &'static str) -> HarnessResult<PathBuf> {
    let disabled = std::env::var_os("TEST_SERVERS").is_some_and(|servers| servers == "none");
    program.filter(|_| !disabled).ok_or(HarnessError::NotInstalled(server))
}
