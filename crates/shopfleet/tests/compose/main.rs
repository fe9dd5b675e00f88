//! The containers, as far as they can be checked without an engine.

#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect fails")]

mod build;
mod databases;
mod file;
mod gateway;
mod secrets;
mod services;

#[path = "../support.rs"]
mod support;
mod watching;
mod wiring;

use support::{read, root};
