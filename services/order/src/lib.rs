//! Order service: places orders, tracks their payments and moves them through fulfilment.
//!
//! A request passes `routes` → [`service`] → [`domain`], [`repository`] and `clients`. Events of other services enter by
//! `consumers`; `workers` act on time. [`app`] composes all of them and is the only module that names adapters.

pub mod app;
mod clients;
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
pub const NAME: &str = "order-service";
