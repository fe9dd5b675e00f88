//! The order service: places orders, follows their payments, and takes them through to the customer's door.
//!
//! [`domain`] has the rules, [`store`] keeps what they decide together with the events that tell of it.

pub mod app;
pub mod config;
pub mod domain;
pub mod error;
mod events;
mod figures;
mod jobs;
mod peers;
mod placing;
mod routes;
pub mod store;
pub mod timeline;

/// The service's name.
pub const NAME: &str = "order-service";
