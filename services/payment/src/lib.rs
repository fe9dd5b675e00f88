//! Payment service: captures and refunds payments of orders through Stripe's API.
//!
//! [`domain`] contains the life cycle of a payment, [`service`] the use cases.
//!
//! Floor: service. It stands on `common` and `contracts`; only the command line and tests depend on it.

pub mod app;
pub mod clients;
pub mod config;
mod consumers;
pub mod domain;
pub mod error;
mod metrics;
pub mod repository;
mod routes;
pub mod service;
mod state;
mod workers;

/// Name of the service.
pub const NAME: &str = "payment-service";
