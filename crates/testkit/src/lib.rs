//! What tests of several crates share: the service under test, tokens, waiting, and the conformance suites of the ports.

use std::time::Duration;

pub mod app;
pub mod bus;
pub mod cache;
pub mod discovery;
pub mod disk;
pub mod fleet;
pub mod idempotency;
pub mod model;
pub mod openapi;
pub mod outbox;
pub mod plans;
pub mod revocations;
pub mod servers;
pub mod tokens;

/// The time between two looks.
const POLL: Duration = Duration::from_millis(10);

/// Looks again and again until `look` finds what it looks for.
///
/// # Panics
/// If it has not by the deadline.
pub async fn eventually<T, F, Fut>(what: &str, deadline: Duration, mut look: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let begun = tokio::time::Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < deadline, "waited {deadline:?}, but not: {what}");
        tokio::time::sleep(POLL).await;
    }
}
