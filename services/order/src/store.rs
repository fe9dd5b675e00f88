//! The store of orders: a port, and the facade that the rest of the service uses.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use common::cache::{Cache, Ttl};
use common::clock::SharedClock;
use common::effects::{Effects, Handled};
use common::idempotency::Keyed;
use common::metrics::Metrics;
use common::store::StoreError;
use contracts::calls::OrderStatus;
use contracts::{Event, OrderId, UserId};

use crate::NAME;
use crate::domain::{Order, OrderNumber, Placed, Refusal, Unpaid, UnpaidLimits};
use crate::error::Error;
use crate::figures::Figures;
use crate::timeline::{Entry, Written};

pub mod postgres;
pub mod sqlite;

/// How long an order that was read is kept, unless it changes.
const KEPT: Ttl = Ttl { found: Duration::from_secs(3600), missing: Duration::ZERO };

/// The constraint that a second order of the same number breaks.
pub const NUMBER_TAKEN: &str = "orders.order_number";
/// The constraint that an order breaks whose id was abandoned, or exists.
pub const ID_TAKEN: &str = "order_ids.id";

/// Changes an order that is locked: what it answers is written with it, all or nothing; `None` writes nothing.
pub type Decide<'a> = dyn FnMut(&mut Order) -> Option<Written> + Send + 'a;

/// Which orders are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those of this person only.
    pub user_id: Option<UserId>,
    /// Those in this status only.
    pub status: Option<OrderStatus>,
}

/// Some of the orders that are wanted, newest first, and how many there are in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The orders.
    pub orders: Vec<Order>,
    /// How many there are on all pages.
    pub total: i64,
}

/// An order as an auditor wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audited {
    /// The order.
    pub order: Order,
    /// Who placed it: the subject of the token.
    pub placed_by: String,
    /// The idempotency key of the request, if it had one.
    pub idempotency_key: Option<String>,
}

common::store_port! {
    /// What a store of orders does.
    pub trait Orders, observed as "orders" by ObservedOrders {
        /// Writes a new order unless it is rejected: because the person's account was deleted, or because it exceeds
        /// the limits, which is decided under a lock of the person. What is rejected leaves nothing.
        ///
        /// # Errors
        /// [`StoreError::Unique`] with [`NUMBER_TAKEN`] or [`ID_TAKEN`]; or the store's state. Unless it is
        /// [`StoreError::OutcomeUnknown`], nothing was written.
        async fn insert(
            &self,
            placed: &Placed,
            limits: UnpaidLimits,
            written: &Written,
        ) -> Result<Result<(), Refusal>, StoreError>;

        /// Returns the orders of a person that hold stock without having been paid for.
        async fn unpaid_of(&self, user: UserId) -> Result<Unpaid, StoreError>;

        /// Records that a person's account was deleted, after which no order of that person is written. Returns the
        /// unpaid orders that the person has.
        async fn delete_customer(&self, user: UserId, now: DateTime<Utc>) -> Result<Vec<OrderId>, StoreError>;

        /// Locks an order, reads it, and writes what `decide` made of it together with the effects. It answers the
        /// order as `decide` left it, `None` if there is no such order. `decide` is called once at the most.
        async fn change(&self, id: OrderId, decide: &mut Decide<'_>) -> Result<Option<Order>, StoreError>;

        /// An order.
        async fn find(&self, id: OrderId) -> Result<Option<Order>, StoreError>;

        /// The order of this number.
        async fn find_by_number(&self, number: &OrderNumber) -> Result<Option<Order>, StoreError>;

        /// Up to `limit` of the orders that are wanted, newest first, leaving out the first `offset`.
        async fn list(&self, filter: Filter, offset: i64, limit: i64) -> Result<Page, StoreError>;

        /// Writes entries of timelines, of orders that may not exist yet, with what caused them.
        ///
        /// # Errors
        /// [`StoreError::AlreadyHandled`], or the store's state.
        async fn record(&self, written: &Written) -> Result<(), StoreError>;

        /// What happened to an order, the oldest first.
        async fn timeline(&self, id: OrderId) -> Result<Vec<Entry>, StoreError>;

        /// Up to `limit` orders by id, those after `after`.
        async fn audit(&self, after: Option<OrderId>, limit: i64) -> Result<Vec<Audited>, StoreError>;

        /// The status of an order; where there is none, there never will be from now on.
        async fn abandon(&self, id: OrderId, now: DateTime<Utc>) -> Result<Option<OrderStatus>, StoreError>;

        /// How many orders are in each status; those that none is in may be left out.
        async fn count(&self) -> Result<Vec<(OrderStatus, i64)>, StoreError>;

        /// Up to `most` orders, the oldest first, that wait for their money, got none, and were placed at `waiting` or
        /// before, or at `processing` or before if the provider is processing a payment of theirs.
        async fn unpaid(
            &self,
            waiting: DateTime<Utc>,
            processing: DateTime<Utc>,
            most: u32,
        ) -> Result<Vec<OrderId>, StoreError>;

        /// When the oldest order was placed that waits for its money and got none: of those whose payment the provider is
        /// processing, or of the others.
        async fn oldest_unpaid(&self, processing: bool) -> Result<Option<DateTime<Utc>>, StoreError>;

        /// Whether it answers.
        async fn ping(&self) -> Result<(), StoreError>;
    }
}

/// The orders, and a cache before them. Clones share both.
#[derive(Clone)]
pub struct OrderBook {
    store: Arc<dyn Orders>,
    cache: Cache,
    clock: SharedClock,
    figures: Figures,
}

impl OrderBook {
    /// The orders in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Orders>, cache: Cache, clock: SharedClock, metrics: &Metrics) -> Self {
        Self { store, cache, clock, figures: Figures::new(metrics) }
    }

    /// The store itself, for what needs no cache.
    #[must_use]
    pub fn store(&self) -> &dyn Orders {
        &*self.store
    }

    /// What is counted of orders.
    pub(crate) const fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Counts the orders by their status.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn count(&self) -> Result<(), StoreError> {
        self.figures.show(&self.store.count().await?);
        Ok(())
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Writes a new order, that it was placed, and the answer to a request with a key.
    ///
    /// # Errors
    /// Those of [`Orders::insert`].
    pub async fn place(
        &self,
        placed: &Placed,
        limits: UnpaidLimits,
        keyed: Option<Keyed>,
    ) -> Result<Result<(), Refusal>, StoreError> {
        let event = placed.order.created_event();
        let happened = [event.event_type()];
        let effects = Effects::of(placed.order.created_at, event).keyed(keyed);
        let outcome = self.store.insert(placed, limits, &Written::of(effects, NAME)?).await?;
        if outcome.is_ok() {
            self.figures.count(&happened);
        }
        Ok(outcome)
    }

    /// An order, as it is kept or stored.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn find(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        let store = self.store.clone();
        self.cache.get_or_load(&key(id), KEPT, move || async move { store.find(id).await }).await
    }

    /// Changes an order by a rule, and tells what the rule says.
    ///
    /// # Errors
    /// If there is no such order, the rule refuses, or the store does not answer.
    pub async fn change(
        &self,
        id: OrderId,
        rule: impl FnOnce(&mut Order, DateTime<Utc>) -> Result<Vec<Event>, Refusal> + Send,
    ) -> Result<Order, Error> {
        let mut refusal = None;
        let rule = |order: &mut Order, now| rule(order, now).inspect_err(|refused| refusal = Some(*refused)).ok();
        let changed = self.apply(id, None, None, rule).await?;
        match refusal {
            Some(refusal) => Err(refusal.into()),
            None => changed.ok_or_else(|| Refusal::NotFound.into()),
        }
    }

    /// Changes an order as the effect of a message, which so has it once. It answers whether there is such an order.
    ///
    /// # Errors
    /// [`StoreError::AlreadyHandled`], or the store does not answer.
    pub async fn handle(
        &self,
        id: OrderId,
        (handled, heard): (Handled, Option<Entry>),
        rule: impl FnOnce(&mut Order, DateTime<Utc>) -> Vec<Event> + Send,
    ) -> Result<bool, StoreError> {
        let changed = self.apply(id, Some(handled), heard, |order, now| Some(rule(order, now))).await?;
        Ok(changed.is_some())
    }

    async fn apply(
        &self,
        id: OrderId,
        handled: Option<Handled>,
        mut heard: Option<Entry>,
        rule: impl FnOnce(&mut Order, DateTime<Utc>) -> Option<Vec<Event>> + Send,
    ) -> Result<Option<Order>, StoreError> {
        let (mut rule, mut happened, mut fault) = (Some(rule), Vec::new(), None);
        let mut decide = |order: &mut Order| {
            // The time is taken under the lock, so that what happens later has the later time.
            let now = self.clock.now();
            let mut effects = Effects { handled, ..Effects::none() };
            for event in rule.take()?(order, now)? {
                happened.push(event.event_type());
                effects.push(now, event);
            }
            let written = Written::of(effects, NAME).map_err(|error| fault = Some(error)).ok()?;
            Some(written.hearing(heard.take()))
        };
        let outcome = self.store.change(id, &mut decide).await;
        // Also after an error: it may have been a commit whose outcome nobody knows.
        self.cache.invalidate(&[&key(id)]).await;
        let changed = outcome?;
        if let Some(fault) = fault {
            return Err(fault);
        }
        self.figures.count(&happened);
        Ok(changed)
    }
}

fn key(id: OrderId) -> String {
    format!("order:{id}")
}
