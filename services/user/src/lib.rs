//! User service: accounts, sessions, and the access tokens of the fleet.
//!
//! A request passes `routes` → `service` → [`domain`] and [`repository`]; `workers` act on time. [`app`] composes all of
//! them and is the only module that names adapters.
//!
//! Floor: service. It stands on `common` and `contracts`; only the command line and tests depend on it.

pub mod app;
pub mod config;
pub mod domain;
mod error;
mod metrics;
pub mod repository;
mod routes;
mod service;
mod state;
mod workers;

/// Name of the service.
pub const NAME: &str = "user-service";
