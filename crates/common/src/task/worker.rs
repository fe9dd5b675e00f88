//! Workers: background work in steps, woken by a notification and by a timer.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use crate::BoxError;

/// Time of a worker's next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextRun {
    /// Immediately: there is more to do.
    Now,
    /// At this time, or when the worker is woken.
    At(DateTime<Utc>),
    /// On a wake-up, or after its interval.
    OnWake,
}

/// Error of a failed step.
pub type WorkerError = BoxError;

/// Background work of a service.
#[async_trait::async_trait]
pub trait Worker: Send + Sync + 'static {
    /// Returns the name for logs and metrics, such as `outbox-relay`.
    fn name(&self) -> &'static str;

    /// Prepares the worker before the service accepts requests. It ends in bounded time, whatever is unavailable.
    async fn prepare(&self) {}

    /// Performs one unit of work.
    ///
    /// # Errors
    /// The step failed. The error is logged, and the step is repeated after a pause that grows to two seconds.
    async fn step(&self) -> Result<NextRun, WorkerError>;

    /// Returns the notification that wakes the worker.
    fn wake(&self) -> Option<Arc<Notify>> {
        None
    }

    /// Returns the time between idle steps; at most five seconds.
    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }
}

#[async_trait::async_trait]
impl<W: Worker + ?Sized> Worker for Arc<W> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    async fn prepare(&self) {
        (**self).prepare().await;
    }

    async fn step(&self) -> Result<NextRun, WorkerError> {
        (**self).step().await
    }

    fn wake(&self) -> Option<Arc<Notify>> {
        (**self).wake()
    }

    fn interval(&self) -> Duration {
        (**self).interval()
    }
}
