//! Timelines of orders, and readers that wait for their entries.

use common::database::store::StoreError;
use common::http::LongPoll;
use contracts::OrderId;
use tokio::time::Instant;

use super::OrderService;
use crate::domain::{TimelineEntry, mark_repeated_refunds};

impl OrderService {
    /// Returns the entries of an order with a number greater than `after`, by ascending number.
    ///
    /// # Errors
    /// If the repository fails.
    pub async fn timeline_after(&self, id: OrderId, after: i64) -> Result<Vec<TimelineEntry>, StoreError> {
        // The whole timeline is read, because earlier entries decide about the summaries of later ones.
        let mut entries = self.repository().timeline(id).await?;
        mark_repeated_refunds(&mut entries);
        entries.retain(|entry| entry.seq > Some(after));
        Ok(entries)
    }

    /// Waits until an order has entries with a number greater than `after` and returns them; none at `until` or when the
    /// poll ends. No connection to the database is held meanwhile.
    ///
    /// # Errors
    /// If the repository fails.
    pub async fn wait_for_timeline(
        &self,
        poll: &LongPoll,
        id: OrderId,
        after: i64,
        until: Instant,
    ) -> Result<Vec<TimelineEntry>, StoreError> {
        let subscription = self.watch.subscribe(id);
        loop {
            // Changes count from before the timeline is read, so that none is missed in between.
            let mut changed = std::pin::pin!(subscription.changed.notified());
            changed.as_mut().enable();
            let entries = self.timeline_after(id, after).await?;
            if !entries.is_empty() || !poll.wait(until, changed).await {
                return Ok(entries);
            }
        }
    }

    /// Wakes readers whose timelines other instances have changed.
    ///
    /// # Errors
    /// If the repository fails.
    pub async fn poll_timelines(&self) -> Result<(), StoreError> {
        let orders = self.watch.orders();
        if !orders.is_empty() {
            self.watch.observe(&self.repository().timeline_heads(&orders).await?);
        }
        Ok(())
    }
}
