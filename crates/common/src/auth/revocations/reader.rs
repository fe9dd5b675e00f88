//! Revocations stored by other instances of the service.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;

use super::registry::{RETENTION, Revocations};
use crate::task::worker::{NextRun, Worker, WorkerError};

/// Overlap of two reads: an instance may commit late, and its clock may be behind.
const OVERLAP: TimeDelta = TimeDelta::seconds(30);

/// Worker that reads new rows every second and deletes those that cover no valid token.
pub(super) struct Reader(Revocations);

impl Reader {
    pub(super) const fn new(revocations: Revocations) -> Self {
        Self(revocations)
    }
}

#[async_trait]
impl Worker for Reader {
    fn name(&self) -> &'static str {
        "revocation-reader"
    }

    async fn step(&self) -> Result<NextRun, WorkerError> {
        let Self(revocations) = self;
        let (now, store) = (revocations.now(), revocations.store());
        revocations.apply(&store.recorded_since(now - OVERLAP).await?);
        let expired = now - RETENTION;
        if revocations.remove_before(expired) {
            store.remove_before(expired).await?;
        }
        Ok(NextRun::OnWake)
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }
}
