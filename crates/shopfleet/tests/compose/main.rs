//! The containers, as far as they can be checked without an engine.

#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect fails")]

mod build;
mod databases;
mod file;
mod gateway;
mod secrets;
mod services;
mod wiring;

use std::path::PathBuf;

/// The repository's root.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
