#![doc = include_str!("../README.md")]

use std::time::Duration;

pub mod bus;
pub mod cache;
pub mod discovery;
pub mod disk;
pub mod fleet;
pub mod idempotency;
pub mod mails;
pub mod model_test;
pub mod openapi;
pub mod outbox;
pub mod query_plans;
mod response;
pub mod revocations;
pub mod servers;
pub mod spawn_service;
pub mod tokens;

pub use fleet_harness::ApiResponse;
pub use response::ResponseExt;

/// Polls until `probe` returns a value.
///
/// # Panics
/// After `deadline`.
pub async fn eventually<T, F, Fut>(what: &str, deadline: Duration, probe: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    match fleet_harness::poll_until(what, deadline, probe).await {
        Ok(found) => found,
        Err(error) => panic!("{error}"),
    }
}
