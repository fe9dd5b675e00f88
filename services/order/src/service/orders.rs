//! Unit of work on orders: repository, cache, events and metrics.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use common::cache::{Cache, Ttl};
use common::database::idempotency::IdempotencyUpdate;
use common::database::store::StoreError;
use common::database::transaction_effects::{Effects, InboxRecord};
use common::telemetry::clock::SharedClock;
use common::telemetry::metrics::Metrics;
use contracts::api::OrderStatus;
use contracts::{Actor, Event, OrderId};

use super::mails;
use super::timeline_watch::TimelineWatch;
use crate::NAME;
use crate::domain::{NewOrder, Notice, Order, OrderError, TimelineEntry, UnpaidLimits};
use crate::error::Error;
use crate::metrics::OrderMetrics;
use crate::repository::{OrderAuditRecord, OrderEffects, OrderRepository};

/// Lifetime of a cached order, which is invalidated when the order changes.
const CACHE_TTL: Ttl = Ttl { found: Duration::from_secs(3600), missing: Duration::ZERO };

/// Orders behind a cache. Clones share the repository and the cache.
#[derive(Clone)]
pub struct OrderService {
    repository: Arc<dyn OrderRepository>,
    cache: Cache,
    clock: SharedClock,
    metrics: OrderMetrics,
    pub(super) watch: TimelineWatch,
    /// False if the service sends no mails: none is queued.
    sends_mails: bool,
}

/// Consumed message whose effect is committed with its inbox record, so that it is applied once.
#[derive(Clone, Debug)]
pub struct ConsumedMessage {
    /// Inbox record of the message.
    pub inbox: InboxRecord,
    /// Timeline entry of the consumed event.
    pub entry: Option<TimelineEntry>,
}

impl OrderService {
    /// Creates the service over a repository. It queues no mails.
    #[must_use]
    pub fn new(repository: Arc<dyn OrderRepository>, cache: Cache, clock: SharedClock, metrics: &Metrics) -> Self {
        let (metrics, watch) = (OrderMetrics::new(metrics), TimelineWatch::default());
        Self { repository, cache, clock, metrics, watch, sends_mails: false }
    }

    /// Sets whether mails are queued with the changes that they report, and returns the service.
    #[must_use]
    pub const fn sending_mails(mut self, sends_mails: bool) -> Self {
        self.sends_mails = sends_mails;
        self
    }

    /// Returns the repository, for operations that bypass the cache.
    #[must_use]
    pub fn repository(&self) -> &dyn OrderRepository {
        &*self.repository
    }

    /// Returns the metrics of orders.
    pub(crate) const fn metrics(&self) -> &OrderMetrics {
        &self.metrics
    }

    /// Returns the current time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Updates the gauges of orders by status.
    ///
    /// # Errors
    /// If the repository fails.
    pub async fn refresh_status_counts(&self) -> Result<(), StoreError> {
        self.metrics.set_status_counts(&self.repository.count_by_status().await?);
        Ok(())
    }

    /// Inserts an order together with its event and the update of the request's idempotency key.
    ///
    /// # Errors
    /// Errors of [`OrderRepository::insert`].
    pub async fn insert(
        &self,
        new_order: &NewOrder,
        limits: UnpaidLimits,
        idempotency: Option<IdempotencyUpdate>,
    ) -> Result<Result<(), OrderError>, StoreError> {
        let event = new_order.order.created_event();
        let published = [event.event_type()];
        let mut effects = Effects::event(new_order.order.created_at, event).idempotency(idempotency);
        if self.sends_mails {
            effects.mails.push(mails::mail(Notice::Received, &new_order.order, new_order.order.created_at));
        }
        let effects = OrderEffects::new(effects, NAME, &new_order.actor)?;
        let outcome = self.repository.insert(new_order, limits, &effects).await;
        self.watch.notify(new_order.order.id);
        let outcome = outcome?;
        if outcome.is_ok() {
            self.metrics.record_changes(&published);
        }
        Ok(outcome)
    }

    /// Returns an order from the cache or the repository.
    ///
    /// # Errors
    /// If the repository fails.
    pub async fn find(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        let repository = self.repository.clone();
        self.cache.get_or_load(&cache_key(id), CACHE_TTL, move || async move { repository.find(id).await }).await
    }

    /// Applies a rule to an order for `actor` and publishes the events that the rule returns.
    ///
    /// # Errors
    /// [`OrderError::NotFound`], the error of the rule, or an error of the repository.
    pub async fn update(
        &self,
        id: OrderId,
        actor: &Actor,
        rule: impl FnOnce(&mut Order, DateTime<Utc>) -> Result<Vec<Event>, OrderError> + Send,
    ) -> Result<Order, Error> {
        let mut rejection = None;
        let rule = |order: &mut Order, now| rule(order, now).inspect_err(|error| rejection = Some(*error)).ok();
        let updated = self.apply(id, actor, None, rule).await?;
        match rejection {
            Some(error) => Err(error.into()),
            None => updated.ok_or_else(|| OrderError::NotFound.into()),
        }
    }

    /// Applies a rule to an order as the effect of a consumed message, for the actor that its event names. Returns whether
    /// the order exists.
    ///
    /// # Errors
    /// [`StoreError::AlreadyHandled`] for a repeated message, or an error of the repository.
    pub async fn consume(
        &self,
        id: OrderId,
        message: ConsumedMessage,
        rule: impl FnOnce(&mut Order, DateTime<Utc>) -> Vec<Event> + Send,
    ) -> Result<bool, StoreError> {
        let actor = message.entry.as_ref().map(|entry| entry.actor.clone()).unwrap_or_default();
        let updated = self.apply(id, &actor, Some(message), |order, now| Some(rule(order, now))).await?;
        Ok(updated.is_some())
    }

    /// Lists up to `limit` orders by ascending id, starting after `after`.
    ///
    /// # Errors
    /// If the repository fails.
    pub(crate) async fn audit_page(
        &self,
        after: Option<OrderId>,
        limit: i64,
    ) -> Result<Vec<OrderAuditRecord>, StoreError> {
        self.repository.audit_page(after, limit).await
    }

    /// Returns the status of an order. If the order does not exist, makes sure that it never will.
    ///
    /// # Errors
    /// If the repository fails.
    pub(crate) async fn abandon(&self, id: OrderId) -> Result<Option<OrderStatus>, StoreError> {
        self.repository.insert_tombstone(id, self.now()).await
    }

    /// Appends the timeline entry of a consumed message, whose order may not exist.
    ///
    /// # Errors
    /// [`StoreError::AlreadyHandled`] for a repeated message, or an error of the repository.
    pub(crate) async fn append_timeline(&self, message: ConsumedMessage) -> Result<(), StoreError> {
        let effects = Effects::none().consuming(message.inbox);
        let effects = OrderEffects { effects, entries: message.entry.into_iter().collect() };
        let outcome = self.repository.append_timeline(&effects).await;
        for entry in &effects.entries {
            self.watch.notify(entry.order_id);
        }
        outcome
    }

    async fn apply(
        &self,
        id: OrderId,
        actor: &Actor,
        message: Option<ConsumedMessage>,
        rule: impl FnOnce(&mut Order, DateTime<Utc>) -> Option<Vec<Event>> + Send,
    ) -> Result<Option<Order>, StoreError> {
        let (inbox, mut entry) = message.map(|message| (message.inbox, message.entry)).unzip();
        let (mut rule, mut published, mut failure) = (Some(rule), Vec::new(), None);
        let mut update = |order: &mut Order| {
            // The time is read under the lock, so that later changes have later times.
            let now = self.clock.now();
            let before = order.clone();
            let mut effects = Effects { inbox, ..Effects::none() };
            for event in rule.take()?(order, now)? {
                published.push(event.event_type());
                effects.push_event(now, event);
            }
            if self.sends_mails {
                effects.mails =
                    order.notices_since(&before).into_iter().map(|one| mails::mail(one, order, now)).collect();
            }
            let mut effects = OrderEffects::new(effects, NAME, actor);
            if order.tracking != before.tracking {
                effects = effects.and_then(|effects| effects.with_tracking(order.tracking.as_ref()));
            }
            let effects = effects.map_err(|error| failure = Some(error)).ok()?;
            Some(effects.with_consumed(entry.take().flatten()))
        };
        let outcome = self.repository.update(id, &mut update).await;
        // The order may have changed even after an error, if the outcome of the commit is unknown.
        self.cache.invalidate(&[&cache_key(id)]).await;
        self.watch.notify(id);
        let updated = outcome?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        self.metrics.record_changes(&published);
        Ok(updated)
    }
}

fn cache_key(id: OrderId) -> String {
    format!("order:{id}")
}
