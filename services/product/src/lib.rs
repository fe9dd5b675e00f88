//! Product service: catalog, stock, reservations and reviews.
//!
//! Layers, each calling only those below it: `routes`, `consumers` and `workers`; `service` (use cases);
//! [`repository`] (ports and their SQL adapter), `clients`; [`domain`] (types and rules without I/O). `app` is the
//! composition root.
//!
//! Floor: service. It stands on `common` and `contracts`; only the command line and tests depend on it.

pub mod app;
mod clients;
pub mod config;
mod consumers;
pub mod domain;
mod error;
mod metrics;
pub mod repository;
mod routes;
mod search_text;
mod seed_data;
mod service;
mod state;
mod workers;

/// Name of the service.
pub const NAME: &str = "product-service";
