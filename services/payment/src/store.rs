//! The store of payments: a port, and the facade that the rest of the service uses.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use common::clock::SharedClock;
use common::effects::{Effects, Handled};
use common::idempotency::Keyed;
use common::metrics::Metrics;
use common::store::StoreError;
use common::telemetry::about_order;
use contracts::{OrderId, PaymentId, RefundId};
use tokio::sync::Notify;

use crate::domain::{Account, LeaseToken, Payment, Refusal, State};
use crate::error::Error;
use crate::figures::{Counted, Figures};

pub mod postgres;
pub mod sqlite;

/// The constraint that a second open payment of an order breaks.
pub const SECOND_OPEN: &str = "payments.order_id";
/// The constraint that a second payment of an intent breaks.
pub const INTENT_TAKEN: &str = "payments.intent";

/// Reads an account under the lock of its order's row and changes it: what it answers is written with it, all or
/// nothing; `None` writes nothing.
pub type Decide<'a> = dyn FnMut(&mut Account) -> Option<Effects> + Send + 'a;

/// Something that is to be done at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Due {
    /// About a payment.
    Payment(OrderId, PaymentId),
    /// About a refund of a payment.
    Refund(OrderId, PaymentId, RefundId),
}

common::store_port! {
    /// What a store of payments does.
    pub trait Payments, observed as "payments" by ObservedPayments {
        /// Makes the order's row if there is none, locks it, reads the account, and writes what `decide` made of it
        /// together with the effects. `decide` is called once; no other change of the account happens meanwhile.
        ///
        /// # Errors
        /// [`StoreError::Unique`] with [`SECOND_OPEN`] or [`INTENT_TAKEN`]; [`StoreError::AlreadyHandled`]; or the
        /// store's state.
        async fn change(&self, order: OrderId, decide: &mut Decide<'_>) -> Result<(), StoreError>;

        /// The account as it was last written; `None` if nothing is known of the order.
        async fn account(&self, order: OrderId) -> Result<Option<Account>, StoreError>;

        /// The order that a payment is of.
        async fn order_of(&self, payment: PaymentId) -> Result<Option<OrderId>, StoreError>;

        /// The order whose payment has this intent.
        async fn order_of_intent(&self, intent: &str) -> Result<Option<OrderId>, StoreError>;

        /// The order that a refund is of, and its payment.
        async fn order_of_refund(&self, refund: RefundId) -> Result<Option<(OrderId, PaymentId)>, StoreError>;

        /// What is due and not leased: payments of which webhooks named an intent, then all else, the oldest first.
        async fn due(&self, now: DateTime<Utc>, most: u32) -> Result<Vec<Due>, StoreError>;

        /// When something falls due next.
        async fn next_due(&self) -> Result<Option<DateTime<Utc>>, StoreError>;

        /// How many payments are in each of the open states; those that none is in may be left out.
        async fn count_open(&self) -> Result<Vec<(State, i64)>, StoreError>;

        /// Number of refunds that need attention.
        async fn count_needing_attention(&self) -> Result<i64, StoreError>;

        /// Up to `limit` payments by id, those after `after`, and whether their orders are cancelled.
        async fn audit(&self, after: Option<PaymentId>, limit: i64) -> Result<Vec<(Payment, bool)>, StoreError>;

        /// Whether it answers.
        async fn ping(&self) -> Result<(), StoreError>;
    }
}

/// The payments. Clones share the store.
#[derive(Clone)]
pub struct Ledger {
    store: Arc<dyn Payments>,
    clock: SharedClock,
    wake: Arc<Notify>,
    figures: Figures,
}

impl Ledger {
    /// The payments in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Payments>, clock: SharedClock, metrics: &Metrics) -> Self {
        Self { store, clock, wake: Arc::default(), figures: Figures::new(metrics) }
    }

    /// Shows money of this currency in the metrics from the start.
    pub fn expect(&self, currency: &str) {
        self.figures.expect(currency);
    }

    /// Counts the payments that have not ended, and the refunds that need attention.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn count_open(&self) -> Result<(), StoreError> {
        self.figures.show_open(&self.store.count_open().await?);
        self.figures.show_needing_attention(self.store.count_needing_attention().await?);
        Ok(())
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// A token for a lease.
    #[must_use]
    pub fn token(&self) -> LeaseToken {
        LeaseToken::generate(self.now())
    }

    /// Notified when something may have fallen due.
    #[must_use]
    pub fn wake(&self) -> Arc<Notify> {
        self.wake.clone()
    }

    /// Changes an order's account by a rule: all of what it does is written, with the events, or nothing.
    ///
    /// # Errors
    /// If the rule refuses, or the store does not answer.
    pub async fn change<T: Send>(
        &self,
        order: OrderId,
        rule: impl FnOnce(&mut Account, DateTime<Utc>) -> Result<T, Refusal> + Send,
    ) -> Result<T, Error> {
        self.apply(order, None, rule, |_| None).await
    }

    /// The same for a request with an idempotency key: what `keyed` says of it is written with the change.
    ///
    /// # Errors
    /// The same, and [`StoreError::LeaseLost`] if somebody else has taken the key up.
    pub async fn change_keyed<T: Send>(
        &self,
        order: OrderId,
        rule: impl FnOnce(&mut Account, DateTime<Utc>) -> Result<T, Refusal> + Send,
        keyed: impl FnOnce(&T) -> Option<Keyed> + Send,
    ) -> Result<T, Error> {
        self.apply(order, None, rule, keyed).await
    }

    /// The same as the effect of a message, which so has it once.
    ///
    /// # Errors
    /// The same, and [`StoreError::AlreadyHandled`].
    pub async fn handle<T: Send>(
        &self,
        order: OrderId,
        handled: Handled,
        rule: impl FnOnce(&mut Account, DateTime<Utc>) -> Result<T, Refusal> + Send,
    ) -> Result<T, Error> {
        self.apply(order, Some(handled), rule, |_| None).await
    }

    async fn apply<T: Send>(
        &self,
        order: OrderId,
        handled: Option<Handled>,
        rule: impl FnOnce(&mut Account, DateTime<Utc>) -> Result<T, Refusal> + Send,
        keyed: impl FnOnce(&T) -> Option<Keyed> + Send,
    ) -> Result<T, Error> {
        let (clock, mut rule, mut result) = (&self.clock, Some((rule, keyed)), None);
        let mut counted = Vec::new();
        let mut decide = |account: &mut Account| {
            // The time is taken under the lock, so that what happens later has the later time.
            let now = clock.now();
            let (rule, keyed) = rule.take()?;
            let outcome = rule(account, now);
            let mut effects = Effects { handled, ..Effects::none() };
            for (at, event) in account.take_events() {
                counted.extend(Counted::of(&event));
                effects.push(at, event);
            }
            counted.extend(account.take_noted().into_iter().map(Counted::Noted));
            effects.keyed = outcome.as_ref().ok().and_then(keyed);
            let write = outcome.is_ok();
            result = Some(outcome);
            write.then_some(effects)
        };
        self.store.change(order, &mut decide).await?;
        self.wake.notify_one();
        if matches!(result, Some(Ok(_))) {
            self.figures.count(counted, self.now());
        }
        match result {
            Some(outcome) => Ok(outcome?),
            None => Err(Error::Store(StoreError::Corrupt("the store did not read the account".to_owned()))),
        }
    }

    /// What is known of an order.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn account(&self, order: OrderId) -> Result<Option<Account>, StoreError> {
        self.store.account(order).await
    }

    /// A payment.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn payment(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        let Some(order) = self.order_of(id).await? else { return Ok(None) };
        let account = self.store.account(order).await?;
        Ok(account.and_then(|account| account.payments.into_iter().find(|payment| payment.id == id)))
    }

    /// The order that a payment is of.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn order_of(&self, payment: PaymentId) -> Result<Option<OrderId>, StoreError> {
        Ok(self.store.order_of(payment).await?.inspect(|order| about_order(*order)))
    }

    /// The order whose payment has this intent.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn order_of_intent(&self, intent: &str) -> Result<Option<OrderId>, StoreError> {
        Ok(self.store.order_of_intent(intent).await?.inspect(|order| about_order(*order)))
    }

    /// The order that a refund is of, and its payment.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn order_of_refund(&self, refund: RefundId) -> Result<Option<(OrderId, PaymentId)>, StoreError> {
        Ok(self.store.order_of_refund(refund).await?.inspect(|(order, _)| about_order(*order)))
    }

    /// What is due now: what webhooks named, then all else, the oldest first.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn due(&self, most: u32) -> Result<Vec<Due>, StoreError> {
        self.store.due(self.now(), most).await
    }

    /// When something falls due next.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn next_due(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.store.next_due().await
    }

    /// Up to `limit` payments by id, those after `after`, and whether their orders are cancelled.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn audit(&self, after: Option<PaymentId>, limit: i64) -> Result<Vec<(Payment, bool)>, StoreError> {
        self.store.audit(after, limit).await
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// If not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }
}

/// A list as it is stored: a JSON array, or nothing.
fn stored(list: &[String]) -> Option<String> {
    (!list.is_empty()).then(|| serde_json::Value::from(list).to_string())
}

/// Reads a list that was stored by [`stored`].
fn list(text: Option<&str>) -> Result<Vec<String>, StoreError> {
    text.map_or_else(
        || Ok(Vec::new()),
        |text| serde_json::from_str(text).map_err(|error| StoreError::Corrupt(error.to_string())),
    )
}
