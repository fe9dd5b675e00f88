#![doc = include_str!("../README.md")]

#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
compile_error!("a service needs a database: enable the feature `sqlite` or `postgres`");
#[cfg(not(any(feature = "sqlite", feature = "amqp")))]
compile_error!("a service needs a bus: enable the feature `sqlite` or `amqp`");

pub mod auth;
pub mod cache;
pub mod client;
pub mod config;
pub mod database;
pub mod fault;
pub mod http;
pub mod mail;
pub mod messaging;
pub mod runtime;
pub mod task;
pub mod telemetry;

pub use telemetry::{BoxError, error_chain};
