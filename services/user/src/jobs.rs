//! What the user service does by the clock: failed logins are forgotten.

use std::time::Duration;

use async_trait::async_trait;
use common::worker::{Next, Worker, WorkerError};

use crate::people::People;

/// Forgets failed logins whose window is over.
pub(crate) struct Purge(pub(crate) People);

#[async_trait]
impl Worker for Purge {
    fn name(&self) -> &'static str {
        "login-failures"
    }

    async fn step(&self) -> Result<Next, WorkerError> {
        self.0.users.purge(self.0.now()).await?;
        Ok(Next::Idle)
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(5)
    }
}
