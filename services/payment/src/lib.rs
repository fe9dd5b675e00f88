//! The payment service: takes an order's money through Stripe's API and gives it back.
//!
//! [`domain`] shows the whole life of a payment; [`till`] carries it out.

pub mod app;
pub mod config;
pub mod domain;
pub mod error;
mod events;
mod figures;
mod jobs;
mod orders;
mod routes;
pub mod store;
pub mod stripe;
pub mod till;

/// The service's name.
pub const NAME: &str = "payment-service";
