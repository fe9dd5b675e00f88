//! What the user service does by the clock: failed logins are forgotten, the deleted are removed, and
//! the memory of hashes is freed.

use std::time::Duration;

use async_trait::async_trait;
use common::worker::{Next, Worker, WorkerError};

use crate::people::People;

/// Removes what the store keeps for a time only.
pub(crate) struct Purge(pub(crate) People);

#[async_trait]
impl Worker for Purge {
    fn name(&self) -> &'static str {
        "purge"
    }

    async fn step(&self) -> Result<Next, WorkerError> {
        self.0.passwords.release_memory();
        self.0.forget_successors().await?;
        self.0.users.purge(self.0.now()).await?;
        Ok(Next::Idle)
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(5)
    }
}
