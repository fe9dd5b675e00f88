#![doc = include_str!("../README.md")]

mod api_client;
mod error;
mod fleet;
mod load_generator;
pub mod servers;

use std::time::Duration;

pub use api_client::{ApiClient, ApiResponse};
pub use error::{HarnessError, HarnessResult};
pub use fleet::{
    EmbeddedOptions, Fleet, FleetServers, Instance, MultiProcessFleet, RunFile, ServerHandle, shopfleet_binary,
};
pub use load_generator::{LoadGenerator, LoadReport};

/// Default deadline of every wait. Far longer than needed, so that a slow machine causes no failure.
pub const DEADLINE: Duration = Duration::from_secs(60);
/// Interval between two polls.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Polls until `probe` returns a value.
///
/// # Errors
/// [`HarnessError::TimedOut`] after `deadline`.
pub async fn poll_until<T, F, Fut>(what: &str, deadline: Duration, mut probe: F) -> HarnessResult<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let started = tokio::time::Instant::now();
    loop {
        if let Some(found) = probe().await {
            return Ok(found);
        }
        if started.elapsed() >= deadline {
            return Err(HarnessError::TimedOut { what: what.to_owned(), deadline, log: String::new() });
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Creates an HTTP client that ignores proxy settings.
fn http_client(timeout: Duration) -> HarnessResult<reqwest::Client> {
    common::client::http_client(|builder| builder.no_proxy().timeout(timeout))
        .map_err(|source| HarnessError::Http { what: "cannot create an HTTP client".to_owned(), source })
}
