//! What the payment service does by the clock: it asks the provider about what stays open, and carries out what was
//! promised. It is also woken after each change, so that what falls due at once is done at once.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use common::worker::{Next, Worker, WorkerError};
use tokio::sync::Notify;

use crate::till::Till;

/// Things that are done at the same time, so that one that waits for the provider does not hold up the others.
const AT_ONCE: u32 = 8;
/// The longest sleep: a notification may be lost with the process that owed it.
const INTERVAL: Duration = Duration::from_secs(5);

/// Does what is due about payments and refunds.
pub(crate) struct Reconciler {
    till: Till,
}

impl Reconciler {
    pub(crate) const fn new(till: Till) -> Self {
        Self { till }
    }
}

#[async_trait]
impl Worker for Reconciler {
    fn name(&self) -> &'static str {
        "payment-reconciler"
    }

    async fn step(&self) -> Result<Next, WorkerError> {
        let due = self.till.ledger().due(AT_ONCE).await?;
        if due.is_empty() {
            return Ok(self.till.ledger().next_due().await?.map_or(Next::Idle, Next::At));
        }
        let done = futures::future::join_all(due.into_iter().map(|due| self.till.work(due))).await;
        done.into_iter().collect::<Result<(), _>>()?;
        Ok(Next::Again)
    }

    fn wake(&self) -> Option<Arc<Notify>> {
        Some(self.till.ledger().wake())
    }

    fn interval(&self) -> Duration {
        INTERVAL
    }
}
