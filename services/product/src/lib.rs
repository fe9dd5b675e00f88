#![doc = include_str!("../README.md")]

pub mod app;
mod clients;
pub mod config;
mod consumers;
pub mod domain;
mod error;
pub mod media;
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
