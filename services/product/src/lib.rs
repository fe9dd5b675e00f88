//! The product service: the catalogue, its stock and reservations, and what people think of the products.
//!
//! [`domain`] has the rules, [`store`] the ports; `Shop` carries out what routes, events and jobs ask for.

pub mod app;
pub mod config;
pub mod domain;
mod error;
mod events;
mod figures;
mod jobs;
mod orders;
mod routes;
mod sample;
mod shop;
pub mod store;

/// The service's name.
pub const NAME: &str = "product-service";
