//! Gauges that count rows: brought up to date at intervals, never by whoever looks at them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use crate::database::store::StoreError;
use crate::task::worker::{Next, Worker, WorkerError};
use crate::telemetry::clock::SharedClock;

/// The time between two counts.
const INTERVAL: Duration = Duration::from_secs(5);
/// How much longer than a count the pause after it is at least: what grows slow is counted less often.
const PAUSE: u32 = 20;

type Count = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>> + Send + Sync>;

/// Counts at intervals of five seconds, or twenty times as long as a count takes.
pub struct Census {
    clock: SharedClock,
    count: Count,
    due: AtomicI64,
}

impl Census {
    /// A worker that calls this, which counts and sets its gauges.
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
impl Worker for Census {
    fn name(&self) -> &'static str {
        "census"
    }

    async fn step(&self) -> Result<Next, WorkerError> {
        let now = self.clock.now();
        if let Some(due) = self.due().filter(|due| *due > now) {
            return Ok(Next::At(due));
        }
        let begun = Instant::now();
        (self.count)().await?;
        let pause = begun.elapsed().saturating_mul(PAUSE).max(INTERVAL);
        let due = self.clock.now() + TimeDelta::from_std(pause).unwrap_or(TimeDelta::MAX);
        self.due.store(due.timestamp_millis(), Ordering::SeqCst);
        Ok(Next::At(due))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    #[tokio::test]
    async fn a_count_is_not_repeated_before_its_time() {
        let counts = Arc::new(AtomicU32::new(0));
        let counted = counts.clone();
        let census = Census::worker(crate::telemetry::clock::system(), move || {
            counted.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Ok(()))
        });
        let Next::At(due) = census.step().await.unwrap() else { panic!("it does not say when it is due") };
        assert_eq!(census.step().await.unwrap(), Next::At(due));
        assert_eq!(counts.load(Ordering::SeqCst), 1);
    }
}
