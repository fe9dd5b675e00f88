#![doc = include_str!("../README.md")]

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
