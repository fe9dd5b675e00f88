//! The user service: accounts, sessions, and the tokens that the whole fleet trusts.

pub mod app;
pub mod config;
pub mod domain;
mod error;
mod guesses;
mod jobs;
mod passwords;
mod people;
mod routes;
pub mod store;
mod tokens;

/// The service's name.
pub const NAME: &str = "user-service";
