//! What the product service does by the clock: it asks what became of the orders whose reservations run out, and derives
//! search texts.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use common::store::StoreError;
use common::worker::{Next, Worker, WorkerError};
use contracts::OrderId;

use crate::orders::Orders;
use crate::shop::Shop;

/// Reservations that are asked about at the same time.
const AT_ONCE: u32 = 16;
/// How long a question is put off after its first failure; it doubles with each one.
const FIRST_DELAY: TimeDelta = TimeDelta::seconds(1);
/// The longest that a question is put off: what falls due is late by so much at most once the order service is back.
const LONGEST_DELAY: TimeDelta = TimeDelta::seconds(5);
/// The longest sleep while there is nothing to do.
const INTERVAL: Duration = Duration::from_secs(1);

/// Gives back what was reserved for orders that there will never be, and holds the rest.
pub(crate) struct Expiry {
    shop: Shop,
    orders: Orders,
}

impl Expiry {
    pub(crate) const fn new(shop: Shop, orders: Orders) -> Self {
        Self { shop, orders }
    }

    async fn ask(&self, order: OrderId, tries: u32) -> Result<(), StoreError> {
        match self.orders.abandon(order).await {
            Ok(answer) => self.shop.expired(order, &answer).await,
            Err(error) => {
                let (error, delay) = (common::chain(&error), delay(tries));
                let seconds = delay.num_seconds();
                tracing::warn!(order.id = %order, error, seconds, "a reservation ran out, its order is asked for later");
                self.shop.put_off(order, delay).await
            }
        }
    }
}

#[async_trait]
impl Worker for Expiry {
    fn name(&self) -> &'static str {
        "reservation-expiry"
    }

    async fn step(&self) -> Result<Next, WorkerError> {
        let due = self.shop.due(AT_ONCE).await?;
        if due.is_empty() {
            return Ok(self.shop.next_due().await?.map_or(Next::Idle, Next::At));
        }
        let done = futures::future::join_all(due.into_iter().map(|(order, tries)| self.ask(order, tries))).await;
        done.into_iter().collect::<Result<(), _>>()?;
        Ok(Next::Again)
    }

    fn interval(&self) -> Duration {
        INTERVAL
    }
}

/// Derives the search texts of products that an instance of the version before writes during an upgrade.
pub(crate) struct SearchIndexWorker {
    shop: Shop,
}

impl SearchIndexWorker {
    pub(crate) const fn new(shop: Shop) -> Self {
        Self { shop }
    }
}

#[async_trait]
impl Worker for SearchIndexWorker {
    fn name(&self) -> &'static str {
        "search-index"
    }

    async fn step(&self) -> Result<Next, WorkerError> {
        Ok(if self.shop.index_pending().await? == 0 { Next::Idle } else { Next::Again })
    }

    fn interval(&self) -> Duration {
        INTERVAL
    }
}

fn delay(tries: u32) -> TimeDelta {
    FIRST_DELAY.checked_mul(1 << tries.min(10)).unwrap_or(LONGEST_DELAY).min(LONGEST_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_put_off_for_longer_each_time() {
        let delays = [0, 1, 2, 4, 5, 1000].map(|tries| delay(tries).num_seconds());
        assert_eq!(delays, [1, 2, 4, 5, 5, 5]);
    }
}
