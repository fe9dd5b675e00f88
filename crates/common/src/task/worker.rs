//! Background work: one `step()` at a time, woken by a notification and by a timer.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use crate::BoxError;

/// When a worker wants its next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// At once: there is more to do.
    Again,
    /// When this falls due, or when it is woken.
    At(DateTime<Utc>),
    /// When it is woken, or after its interval.
    Idle,
}

/// Why a step failed.
pub type WorkerError = BoxError;

/// Something that a service does by itself.
#[async_trait::async_trait]
pub trait Worker: Send + Sync + 'static {
    /// For logs, such as `outbox-relay`.
    fn name(&self) -> &'static str;

    /// Does what must be done once before the service accepts requests. It ends in a bounded time, whatever is unavailable.
    async fn prepare(&self) {}

    /// One unit of work.
    ///
    /// # Errors
    /// If it failed; it is logged, and the step is tried again after a pause that grows to two seconds.
    async fn step(&self) -> Result<Next, WorkerError>;

    /// What wakes it before its time.
    fn wake(&self) -> Option<Arc<Notify>> {
        None
    }

    /// The time between steps that found nothing to do; five seconds at most.
    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }
}
