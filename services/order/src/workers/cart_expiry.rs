use std::time::Duration;

use async_trait::async_trait;
use common::runtime::{NextRun, Worker, WorkerError};

use crate::service::CartService;

/// Interval between two checks for expired carts.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// Deletes carts that are not used.
pub(crate) struct CartExpiryWorker {
    carts: CartService,
}

impl CartExpiryWorker {
    /// Creates the worker.
    pub(crate) const fn new(carts: CartService) -> Self {
        Self { carts }
    }
}

#[async_trait]
impl Worker for CartExpiryWorker {
    fn name(&self) -> &'static str {
        "cart-expiry"
    }

    async fn step(&self) -> Result<NextRun, WorkerError> {
        Ok(if self.carts.delete_expired().await? { NextRun::Now } else { NextRun::OnWake })
    }

    fn interval(&self) -> Duration {
        POLL_INTERVAL
    }
}
