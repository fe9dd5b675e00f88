use async_trait::async_trait;
use chrono::TimeDelta;
use common::runtime::{NextRun, Worker, WorkerError};

use crate::service::OrderService;

/// Cancels orders that are not paid by their deadline.
pub(crate) struct PaymentDeadlineWorker {
    orders: OrderService,
    deadline: TimeDelta,
}

impl PaymentDeadlineWorker {
    /// Creates the worker.
    pub(crate) const fn new(orders: OrderService, deadline: TimeDelta) -> Self {
        Self { orders, deadline }
    }
}

#[async_trait]
impl Worker for PaymentDeadlineWorker {
    fn name(&self) -> &'static str {
        "payment-deadline"
    }

    async fn step(&self) -> Result<NextRun, WorkerError> {
        if self.orders.cancel_overdue(self.deadline).await? {
            return Ok(NextRun::Now);
        }
        Ok(self.orders.next_payment_due_at(self.deadline).await?.map_or(NextRun::OnWake, NextRun::At))
    }
}
