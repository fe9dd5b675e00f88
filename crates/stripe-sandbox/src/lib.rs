#![doc = include_str!("../README.md")]
// Objects of the API have about fifty fields, each a recursion of the `json!` macro.
#![recursion_limit = "256"]

mod clock;
mod config;
mod error;
mod faults;
mod http;
mod ids;
mod in_flight;
mod model;
mod operations;
mod pages;
mod routes;
mod sandbox;
mod state;
mod store;
mod transaction;
mod webhooks;

pub use clock::{Clock, Millis, SystemClock};
pub use config::{Config, RetrySchedule};
pub use error::Error;
pub use faults::FaultRates;
pub use sandbox::{Sandbox, serve};

/// Version of Stripe's API whose formats are used.
pub const API_VERSION: &str = "2026-08-26.dahlia";
