//! What the order service does by the clock: it cancels orders that nobody paid in time.

use async_trait::async_trait;
use chrono::TimeDelta;
use common::worker::{Next, Worker, WorkerError};

use crate::store::OrderBook;

/// Orders that are cancelled in one step.
const BATCH: u32 = 50;

/// Cancels orders that nobody paid within the deadline.
pub(crate) struct PaymentDeadline {
    book: OrderBook,
    deadline: TimeDelta,
}

impl PaymentDeadline {
    pub(crate) const fn new(book: OrderBook, deadline: TimeDelta) -> Self {
        Self { book, deadline }
    }
}

#[async_trait]
impl Worker for PaymentDeadline {
    fn name(&self) -> &'static str {
        "payment-deadline"
    }

    async fn step(&self) -> Result<Next, WorkerError> {
        let latest = self.book.now() - self.deadline;
        let due = self.book.store().unpaid(latest, BATCH).await?;
        let mut failure = None;
        for id in &due {
            // Looked at once more under the lock: it may have been paid meanwhile. One that fails holds up no other.
            let expired = self.book.change(*id, |order, now| Ok(order.expire(latest, now))).await;
            failure = failure.or(expired.err());
        }
        if let Some(failure) = failure {
            return Err(failure.into());
        }
        if !due.is_empty() {
            return Ok(Next::Again);
        }
        let oldest = self.book.store().oldest_unpaid().await?;
        Ok(oldest.map_or(Next::Idle, |placed_at| Next::At(placed_at + self.deadline)))
    }
}
