//! Cancellation of orders that are not paid by their deadline.

use chrono::{DateTime, TimeDelta, Utc};
use common::database::store::StoreError;
use contracts::Actor;

use super::OrderService;
use crate::domain::{MAX_PROCESSING_WAIT, Order};
use crate::error::Error;

/// Maximum number of orders cancelled in one call.
const BATCH: u32 = 50;

impl OrderService {
    /// Cancels a batch of orders whose payment is overdue. Returns whether more may be overdue.
    ///
    /// # Errors
    /// The first error of an order; it does not keep other orders from being cancelled.
    pub(crate) async fn cancel_overdue(&self, deadline: TimeDelta) -> Result<bool, Error> {
        let now = self.now();
        let (waiting, processing) = (now - deadline, now - extended(deadline));
        let overdue = self.repository().list_unpaid_before(waiting, processing, BATCH).await?;
        let mut failure = None;
        for id in &overdue {
            // The rule checks again under the lock, because the order may have been paid meanwhile.
            let rule = |order: &mut Order, now| Ok(order.cancel_if_overdue(deadline, now));
            let cancelled = self.update(*id, &Actor::System, rule).await;
            failure = failure.or(cancelled.err());
        }
        match failure {
            Some(failure) => Err(failure),
            None => Ok(!overdue.is_empty()),
        }
    }

    /// Returns the time at which the next payment is overdue.
    ///
    /// # Errors
    /// If the repository fails.
    pub(crate) async fn next_payment_due_at(&self, deadline: TimeDelta) -> Result<Option<DateTime<Utc>>, StoreError> {
        let waiting = self.repository().oldest_unpaid_at(false).await?.map(|placed_at| placed_at + deadline);
        let processing =
            self.repository().oldest_unpaid_at(true).await?.map(|placed_at| placed_at + extended(deadline));
        Ok(waiting.into_iter().chain(processing).min())
    }
}

/// Returns the deadline of orders with a payment that the provider is processing.
fn extended(deadline: TimeDelta) -> TimeDelta {
    deadline.max(MAX_PROCESSING_WAIT)
}
