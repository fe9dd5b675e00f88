//! Deletion of files without a reference.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use common::runtime::{NextRun, Worker, WorkerError};
use common::telemetry::clock::SharedClock;

use crate::service::PictureService;

/// Time between two searches for files without a reference.
const INTERVAL: TimeDelta = TimeDelta::minutes(10);

/// Deletes files that have had no reference for a day, and marks those that lost their last one.
pub(crate) struct MediaCollectionWorker {
    pictures: PictureService,
    clock: SharedClock,
    next: Mutex<DateTime<Utc>>,
}

impl MediaCollectionWorker {
    pub(crate) const fn new(pictures: PictureService, clock: SharedClock) -> Self {
        Self { pictures, clock, next: Mutex::new(DateTime::UNIX_EPOCH) }
    }
}

#[async_trait]
impl Worker for MediaCollectionWorker {
    fn name(&self) -> &'static str {
        "media-collection"
    }

    async fn step(&self) -> Result<NextRun, WorkerError> {
        let now = self.clock.now();
        let due = *self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if now < due {
            return Ok(NextRun::At(due));
        }
        if self.pictures.collect().await? {
            return Ok(NextRun::Now);
        }
        self.pictures.mark_unreferenced().await?;
        let next = now + INTERVAL;
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(NextRun::At(next))
    }
}
