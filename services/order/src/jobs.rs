//! What the order service does by the clock: it cancels orders that nobody paid in time.

use async_trait::async_trait;
use chrono::TimeDelta;
use common::worker::{Next, Worker, WorkerError};

use crate::domain::MAX_PROCESSING_WAIT;
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

    /// Returns the deadline of orders whose payment the provider is processing.
    fn extended(&self) -> TimeDelta {
        self.deadline.max(MAX_PROCESSING_WAIT)
    }
}

#[async_trait]
impl Worker for PaymentDeadline {
    fn name(&self) -> &'static str {
        "payment-deadline"
    }

    async fn step(&self) -> Result<Next, WorkerError> {
        let now = self.book.now();
        let (waiting, processing) = (now - self.deadline, now - self.extended());
        let due = self.book.store().unpaid(waiting, processing, BATCH).await?;
        let mut failure = None;
        for id in &due {
            // Looked at once more under the lock: it may have been paid meanwhile. One that fails holds up no other.
            let expired = self.book.change(*id, |order, now| Ok(order.expire(self.deadline, now))).await;
            failure = failure.or(expired.err());
        }
        if let Some(failure) = failure {
            return Err(failure.into());
        }
        if !due.is_empty() {
            return Ok(Next::Again);
        }
        let waiting = self.book.store().oldest_unpaid(false).await?.map(|placed_at| placed_at + self.deadline);
        let processing = self.book.store().oldest_unpaid(true).await?.map(|placed_at| placed_at + self.extended());
        Ok(waiting.into_iter().chain(processing).min().map_or(Next::Idle, Next::At))
    }
}
