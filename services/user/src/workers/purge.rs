//! Purge of expired data.

use std::time::Duration;

use async_trait::async_trait;
use common::runtime::{NextRun, Worker, WorkerError};

use crate::service::{AccountService, SessionService};

/// Worker that removes expired data and frees the memory of password hashes.
pub(crate) struct PurgeWorker {
    pub(crate) accounts: AccountService,
    pub(crate) sessions: SessionService,
}

#[async_trait]
impl Worker for PurgeWorker {
    fn name(&self) -> &'static str {
        "purge"
    }

    async fn step(&self) -> Result<NextRun, WorkerError> {
        self.accounts.release_password_memory();
        self.sessions.remove_expired_successors().await?;
        self.accounts.purge().await?;
        Ok(NextRun::OnWake)
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(5)
    }
}
