use async_trait::async_trait;
use common::runtime::{NextRun, Worker, WorkerError};

use crate::service::OrderService;

/// Derives the search texts of orders that the previous version wrote.
pub(crate) struct SearchIndexWorker {
    orders: OrderService,
}

impl SearchIndexWorker {
    /// Creates the worker.
    pub(crate) const fn new(orders: OrderService) -> Self {
        Self { orders }
    }
}

#[async_trait]
impl Worker for SearchIndexWorker {
    fn name(&self) -> &'static str {
        "search-index"
    }

    async fn step(&self) -> Result<NextRun, WorkerError> {
        Ok(if self.orders.index_pending().await? == 0 { NextRun::OnWake } else { NextRun::Now })
    }
}
