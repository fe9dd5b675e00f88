#![doc = include_str!("../README.md")]

pub mod auth;
pub mod cache;
pub mod client;
pub mod config;
pub mod database;
pub mod fault;
pub mod http;
pub mod messaging;
pub mod runtime;
pub mod task;
pub mod telemetry;

pub use telemetry::{BoxError, error_chain};
