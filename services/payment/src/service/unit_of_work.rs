//! Units of work on payments: a domain rule, its events and the metrics that it changes.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use common::database::idempotency::IdempotencyUpdate;
use common::database::store::StoreError;
use common::database::transaction_effects::{Effects, InboxRecord};
use common::database::{Page, Period, Start};
use common::telemetry::clock::SharedClock;
use common::telemetry::metrics::Metrics;
use common::telemetry::record_order_id;
use contracts::{OrderId, PaymentId, RefundId};
use tokio::sync::Notify;

use crate::domain::{FencingToken, OrderPayments, Payment, PaymentError, RefundOfPayment};
use crate::error::Error;
use crate::metrics::{MetricUpdate, PaymentMetrics};
use crate::repository::{PaymentFilter, PaymentRepository, ReconcileTask, RefundFilter, Totals};

/// Stored payments with the clock, the metrics and the wake-up of the reconciler. Clones share everything.
#[derive(Clone)]
pub struct PaymentUnitOfWork {
    repository: Arc<dyn PaymentRepository>,
    clock: SharedClock,
    wake: Arc<Notify>,
    metrics: PaymentMetrics,
}

impl PaymentUnitOfWork {
    /// Creates a unit of work over `repository`.
    #[must_use]
    pub fn new(repository: Arc<dyn PaymentRepository>, clock: SharedClock, metrics: &Metrics) -> Self {
        Self { repository, clock, wake: Arc::default(), metrics: PaymentMetrics::new(metrics) }
    }

    /// Registers the metrics of this currency, so that they are exported before the first payment.
    pub fn preregister_currency(&self, currency: &str) {
        self.metrics.preregister_currency(currency);
    }

    /// Refreshes the gauges of open payments and of refunds that need attention.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn refresh_gauges(&self) -> Result<(), StoreError> {
        self.metrics.set_open_counts(&self.repository.count_open().await?);
        self.metrics.set_needing_attention(self.repository.count_needing_attention().await?);
        Ok(())
    }

    /// Returns the current time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Generates a token for a lease.
    #[must_use]
    pub fn new_token(&self) -> FencingToken {
        FencingToken::generate(self.now())
    }

    /// Returns the notification that a task may have fallen due.
    #[must_use]
    pub fn wake(&self) -> Arc<Notify> {
        self.wake.clone()
    }

    /// Applies a rule to an order's payments and commits the change together with its events, or nothing.
    ///
    /// # Errors
    /// [`Error::Domain`] from the rule, or [`Error::Store`].
    pub async fn update<T: Send>(
        &self,
        order: OrderId,
        rule: impl FnOnce(&mut OrderPayments, DateTime<Utc>) -> Result<T, PaymentError> + Send,
    ) -> Result<T, Error> {
        self.commit(order, None, rule, |_| None).await
    }

    /// Applies a rule as [`Self::update`] does, for a request with an idempotency key: the update of the key that
    /// `key_update` returns is committed with the change.
    ///
    /// # Errors
    /// As [`Self::update`], and [`StoreError::LeaseLost`] if another attempt holds the key.
    pub async fn update_idempotent<T: Send>(
        &self,
        order: OrderId,
        rule: impl FnOnce(&mut OrderPayments, DateTime<Utc>) -> Result<T, PaymentError> + Send,
        key_update: impl FnOnce(&T) -> Option<IdempotencyUpdate> + Send,
    ) -> Result<T, Error> {
        self.commit(order, None, rule, key_update).await
    }

    /// Applies a rule as [`Self::update`] does, as the effect of a consumed message.
    ///
    /// # Errors
    /// As [`Self::update`], and [`StoreError::AlreadyHandled`] for a redelivered message.
    pub async fn update_consuming<T: Send>(
        &self,
        order: OrderId,
        inbox: InboxRecord,
        rule: impl FnOnce(&mut OrderPayments, DateTime<Utc>) -> Result<T, PaymentError> + Send,
    ) -> Result<T, Error> {
        self.commit(order, Some(inbox), rule, |_| None).await
    }

    async fn commit<T: Send>(
        &self,
        order: OrderId,
        inbox: Option<InboxRecord>,
        rule: impl FnOnce(&mut OrderPayments, DateTime<Utc>) -> Result<T, PaymentError> + Send,
        key_update: impl FnOnce(&T) -> Option<IdempotencyUpdate> + Send,
    ) -> Result<T, Error> {
        let (clock, mut rule, mut result) = (&self.clock, Some((rule, key_update)), None);
        let mut metric_updates = Vec::new();
        let mut update = |order_payments: &mut OrderPayments| {
            // The time is taken under the lock, so that later changes have later times.
            let now = clock.now();
            let (rule, key_update) = rule.take()?;
            let outcome = rule(order_payments, now);
            let mut effects = Effects { inbox, ..Effects::none() };
            for (at, event) in order_payments.take_events() {
                metric_updates.extend(MetricUpdate::from_event(&event));
                effects.push_event(at, event);
            }
            metric_updates.extend(order_payments.take_metrics().into_iter().map(MetricUpdate::Domain));
            effects.idempotency = outcome.as_ref().ok().and_then(key_update);
            let commit = outcome.is_ok();
            result = Some(outcome);
            commit.then_some(effects)
        };
        self.repository.update(order, &mut update).await?;
        self.wake.notify_one();
        if matches!(result, Some(Ok(_))) {
            self.metrics.record(metric_updates, self.now());
        }
        match result {
            Some(outcome) => Ok(outcome?),
            None => Err(Error::Store(StoreError::Decode("the repository did not call the update".to_owned()))),
        }
    }

    /// Returns the payments of an order.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn find(&self, order: OrderId) -> Result<Option<OrderPayments>, StoreError> {
        self.repository.find(order).await
    }

    /// Returns a payment.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn find_payment(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        let Some(order) = self.order_id_by_payment(id).await? else { return Ok(None) };
        let found = self.repository.find(order).await?;
        Ok(found.and_then(|found| found.payments.into_iter().find(|payment| payment.id == id)))
    }

    /// Returns the order of a payment.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn order_id_by_payment(&self, payment: PaymentId) -> Result<Option<OrderId>, StoreError> {
        Ok(self.repository.order_id_by_payment(payment).await?.inspect(|order| record_order_id(*order)))
    }

    /// Returns the order of the payment with this intent.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn order_id_by_intent(&self, intent: &str) -> Result<Option<OrderId>, StoreError> {
        Ok(self.repository.order_id_by_intent(intent).await?.inspect(|order| record_order_id(*order)))
    }

    /// Returns the order and the payment of a refund.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn order_id_by_refund(&self, refund: RefundId) -> Result<Option<(OrderId, PaymentId)>, StoreError> {
        Ok(self.repository.order_id_by_refund(refund).await?.inspect(|(order, _)| record_order_id(*order)))
    }

    /// Lists the tasks that are due now: refunds to be sent first, then payments with hints, then all others, each oldest
    /// first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn list_due_tasks(&self, limit: u32) -> Result<Vec<ReconcileTask>, StoreError> {
        self.repository.list_due_tasks(self.now(), limit).await
    }

    /// Returns the time at which the next task falls due.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn next_due_at(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.repository.next_due_at().await
    }

    /// Returns up to `limit` payments by id after `after`, each with a flag for a cancelled order.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn audit_page(&self, after: Option<PaymentId>, limit: i64) -> Result<Vec<(Payment, bool)>, StoreError> {
        self.repository.audit_page(after, limit).await
    }

    /// Returns a page of payments, newest first; `None` if it starts after an unknown payment.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn list_payments(
        &self,
        filter: PaymentFilter,
        start: Start<PaymentId>,
        limit: i64,
    ) -> Result<Option<Page<Payment>>, StoreError> {
        self.repository.list_payments(filter, start, limit).await
    }

    /// Returns a page of refunds, newest first; `None` if it starts after an unknown refund.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn list_refunds(
        &self,
        filter: RefundFilter,
        start: Start<RefundId>,
        limit: i64,
    ) -> Result<Option<Page<RefundOfPayment>>, StoreError> {
        self.repository.list_refunds(filter, start, limit).await
    }

    /// Returns the totals of a period.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn totals(&self, currency: &str, period: Period) -> Result<Totals, StoreError> {
        self.repository.totals(currency, period).await
    }

    /// Checks that the store responds.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.repository.ping().await
    }
}
