//! Expiry of reservations without an order.

use std::time::Duration;

use async_trait::async_trait;
use common::database::store::StoreError;
use common::runtime::{NextRun, Worker, WorkerError};
use common::task::Backoff;
use contracts::OrderId;

use crate::clients::OrderClient;
use crate::service::InventoryService;

/// Longest sleep while no reservation is due.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Number of due reservations that are resolved concurrently.
const MAX_CONCURRENT: u32 = 16;
/// Delays after failed calls. The maximum bounds how long a due reservation waits once the order service is available again.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(5));

/// Resolves due reservations: releases them if there is no order or a cancelled one, and holds them otherwise.
pub(crate) struct ReservationExpiryWorker {
    inventory: InventoryService,
    orders: OrderClient,
}

impl ReservationExpiryWorker {
    pub(crate) const fn new(inventory: InventoryService, orders: OrderClient) -> Self {
        Self { inventory, orders }
    }

    async fn resolve(&self, order: OrderId, attempts: u32) -> Result<(), StoreError> {
        match self.orders.abandon(order).await {
            Ok(outcome) => self.inventory.expire(order, &outcome).await,
            Err(error) => {
                let (error, delay) = (common::error_chain(&error), delay(attempts));
                let seconds = delay.as_secs();
                tracing::warn!(order.id = %order, error, seconds, "reservation expiry postponed: order service failed");
                self.inventory.postpone(order, delay).await
            }
        }
    }
}

#[async_trait]
impl Worker for ReservationExpiryWorker {
    fn name(&self) -> &'static str {
        "reservation-expiry"
    }

    async fn step(&self) -> Result<NextRun, WorkerError> {
        let due = self.inventory.list_due(MAX_CONCURRENT).await?;
        if due.is_empty() {
            return Ok(self.inventory.next_due_at().await?.map_or(NextRun::OnWake, NextRun::At));
        }
        let resolved = due.into_iter().map(|(order, attempts)| self.resolve(order, attempts));
        futures::future::join_all(resolved).await.into_iter().collect::<Result<(), _>>()?;
        Ok(NextRun::Now)
    }

    fn interval(&self) -> Duration {
        POLL_INTERVAL
    }
}

fn delay(previous_attempts: u32) -> Duration {
    BACKOFF.pause(previous_attempts.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delay_doubles_up_to_its_maximum() {
        let delays = [0, 1, 2, 4, 5, 1000].map(|attempts| delay(attempts).as_secs());
        assert_eq!(delays, [1, 2, 4, 5, 5, 5]);
    }
}
