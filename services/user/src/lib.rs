#![doc = include_str!("../README.md")]

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
