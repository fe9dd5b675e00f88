//! Row-count gauges, refreshed periodically instead of on scrape.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use crate::database::store::StoreError;
use crate::task::worker::{NextRun, Worker, WorkerError};
use crate::telemetry::clock::SharedClock;

/// Minimum time between two counts.
const INTERVAL: Duration = Duration::from_secs(5);
/// Minimum ratio of the pause to the duration of a count, so slow counts run less often.
const PAUSE: u32 = 20;

type Count = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>> + Send + Sync>;

/// Worker that counts every five seconds, or less often if counting is slow.
pub struct RowCountWorker {
    clock: SharedClock,
    count: Count,
    due: AtomicI64,
}

impl RowCountWorker {
    /// Creates a worker that calls `count`, which counts rows and sets the gauges.
    pub fn worker<F, Fut>(clock: SharedClock, count: F) -> Arc<dyn Worker>
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        Arc::new(Self { clock, count: Box::new(move || Box::pin(count())), due: AtomicI64::new(i64::MIN) })
    }

    fn due(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.due.load(Ordering::SeqCst))
    }
}

#[async_trait]
impl Worker for RowCountWorker {
    fn name(&self) -> &'static str {
        "census"
    }

    async fn step(&self) -> Result<NextRun, WorkerError> {
        let now = self.clock.now();
        if let Some(due) = self.due().filter(|due| *due > now) {
            return Ok(NextRun::At(due));
        }
        let begun = Instant::now();
        (self.count)().await?;
        let pause = begun.elapsed().saturating_mul(PAUSE).max(INTERVAL);
        let due = self.clock.now() + TimeDelta::from_std(pause).unwrap_or(TimeDelta::MAX);
        self.due.store(due.timestamp_millis(), Ordering::SeqCst);
        Ok(NextRun::At(due))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    #[tokio::test]
    async fn count_is_not_repeated_before_its_time() {
        let counts = Arc::new(AtomicU32::new(0));
        let counted = counts.clone();
        let census = RowCountWorker::worker(crate::telemetry::clock::system(), move || {
            counted.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Ok(()))
        });
        let NextRun::At(due) = census.step().await.unwrap() else { panic!("it does not say when it is due") };
        assert_eq!(census.step().await.unwrap(), NextRun::At(due));
        assert_eq!(counts.load(Ordering::SeqCst), 1);
    }
}
