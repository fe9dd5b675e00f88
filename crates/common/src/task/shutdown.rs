//! Shutdown of a process in two steps.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Maximum time for requests and background steps in progress after the shutdown began.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Shutdown signal. Clones share it.
///
/// The soft step stops new work and lets current work finish. After [`DRAIN_TIMEOUT`], the hard step stops everything.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    soft: CancellationToken,
    hard: CancellationToken,
}

impl Shutdown {
    /// Creates a shutdown that is triggered by the caller.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a shutdown that SIGINT or SIGTERM triggers; a second signal stops immediately.
    #[must_use]
    pub fn on_signals() -> Self {
        let shutdown = Self::new();
        let triggered = shutdown.clone();
        tokio::spawn(async move {
            if let Err(error) = signal().await {
                tracing::error!(%error, "signal handlers not installed; use SIGKILL to stop the process");
                return;
            }
            tracing::info!("shutting down; draining requests in progress");
            triggered.trigger();
            tokio::select! {
                _ = signal() => {}
                () = tokio::time::sleep(DRAIN_TIMEOUT) => {}
            }
            triggered.hard.cancel();
        });
        shutdown
    }

    /// Begins the shutdown.
    pub fn trigger(&self) {
        self.soft.cancel();
    }

    /// Waits until the shutdown begins.
    pub async fn soft(&self) {
        self.soft.cancelled().await;
    }

    /// Waits until the hard step.
    pub async fn hard(&self) {
        self.hard.cancelled().await;
    }

    /// Returns whether the shutdown has begun.
    #[must_use]
    pub fn is_triggered(&self) -> bool {
        self.soft.is_cancelled()
    }

    /// Returns the token of the soft step, for libraries that take one.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.soft.clone()
    }
}

async fn signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
