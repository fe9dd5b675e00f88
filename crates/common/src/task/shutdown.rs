//! The shutdown of a process in two steps.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// How long requests and background steps that are under way may take once the shutdown began.
pub const DRAIN: Duration = Duration::from_secs(10);

/// Tells everything that runs when to end. Clones are one.
///
/// First softly: take nothing new, finish what is under way. Then, after [`DRAIN`], hard: stop at once.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    soft: CancellationToken,
    hard: CancellationToken,
}

impl Shutdown {
    /// One that is triggered by hand.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One that SIGINT or SIGTERM triggers; a second signal ends at once.
    #[must_use]
    pub fn on_signals() -> Self {
        let shutdown = Self::new();
        let triggered = shutdown.clone();
        tokio::spawn(async move {
            if let Err(error) = signal().await {
                tracing::error!(%error, "signals cannot be heard, end the process by SIGKILL");
                return;
            }
            tracing::info!("shutting down: requests that are under way are finished");
            triggered.trigger();
            tokio::select! {
                _ = signal() => {}
                () = tokio::time::sleep(DRAIN) => {}
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

    /// Waits until everything must stop at once.
    pub async fn hard(&self) {
        self.hard.cancelled().await;
    }

    /// Whether the shutdown has begun.
    #[must_use]
    pub fn is_triggered(&self) -> bool {
        self.soft.is_cancelled()
    }

    /// The token of the soft part, for libraries that take one.
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
