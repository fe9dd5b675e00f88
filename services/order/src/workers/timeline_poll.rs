use async_trait::async_trait;
use common::runtime::{NextRun, Worker, WorkerError};

use crate::service::OrderService;

/// Wakes readers who wait for entries of timelines that other instances write. One query per interval serves all of them.
pub(crate) struct TimelinePollWorker {
    orders: OrderService,
}

impl TimelinePollWorker {
    /// Creates the worker.
    pub(crate) const fn new(orders: OrderService) -> Self {
        Self { orders }
    }
}

#[async_trait]
impl Worker for TimelinePollWorker {
    fn name(&self) -> &'static str {
        "timeline-poll"
    }

    async fn step(&self) -> Result<NextRun, WorkerError> {
        self.orders.poll_timelines().await?;
        Ok(NextRun::OnWake)
    }
}
