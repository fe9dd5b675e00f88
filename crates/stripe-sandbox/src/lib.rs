//! A local server that speaks the part of Stripe's API that the fleet uses, with a ledger of its own on disk.
//!
//! Requests, answers, errors, idempotency and webhooks have Stripe's documented shapes (API version
//! [`API_VERSION`]), so that a program which works with this server works with Stripe. Money never moves: test
//! payment methods such as `pm_card_visa` decide what happens.

// The objects of the API have some fifty fields, each a step of the `json!` macro.
#![recursion_limit = "256"]

mod behaviour;
mod clock;
mod config;
mod error;
mod http;
mod ids;
mod model;
mod routes;
mod rules;
mod sandbox;
mod store;
mod webhooks;

pub use behaviour::Behaviour;
pub use clock::{Clock, Millis, SystemClock};
pub use config::{Config, RetrySchedule};
pub use error::Error;
pub use sandbox::{Sandbox, serve};

/// The version of Stripe's API whose shapes are used.
pub const API_VERSION: &str = "2026-08-26.dahlia";
