//! Runs a plan against the stored payments and the provider model, and compares the money after each command.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use common::database::store::StoreError;
use common::database::transaction_effects::InboxRecord;
use common::telemetry::clock::ManualClock;
use common::telemetry::metrics::Metrics;
use contracts::api::{PaymentMethod, RefundStatus};
use contracts::{Actor, EventId, Money, OrderId, PaymentId, RefundId, UserId};
use payment_service::domain::{
    ConfirmOutcome, FencingToken, NewPayment, NewRefund, NextAction, OrderPayments, OrderTerms, Payment, PaymentError,
    Refund, RefundGrant, RefundSyncResult, RetryOutcome, StartOutcome, SyncResult,
};
use payment_service::error::Error;
use payment_service::repository::ReconcileTask;
use payment_service::service::PaymentUnitOfWork;

use super::plan::Command;
use super::provider::{Provider, Webhook};
use crate::fixture::Fixture;

const START: DateTime<Utc> = DateTime::from_timestamp_millis(1_700_000_000_000).unwrap();
/// Total of the order in cents.
pub(super) const TOTAL: i64 = 10_000;
/// Duration of a lease in seconds.
const LEASE: i64 = 10;
/// Limit above all tasks that failed plans have left.
const ALL: u32 = 100_000;

/// Leased object: a payment, or one of its refunds.
type LeaseKey = (PaymentId, Option<RefundId>);

/// Next step of a lease holder.
#[derive(Clone, Copy, Debug)]
pub(super) enum Task {
    CreateIntent,
    Perform(NextAction),
    SendRefund(RefundId),
}

#[derive(Clone, Debug)]
pub(super) enum CallResult {
    Payment(SyncResult),
    Refund(RefundSyncResult),
}

/// Worker that acquired a lease, and may have died since.
#[derive(Clone, Debug)]
pub(super) struct Holder {
    pub(super) token: FencingToken,
    pub(super) until: i64,
    pub(super) task: Task,
    /// Payment at the time of the acquisition.
    pub(super) payment: Payment,
    pub(super) result: Option<CallResult>,
}

pub(super) struct ModelRun<'a> {
    pub(super) fixture: &'a Fixture,
    pub(super) store: PaymentUnitOfWork,
    pub(super) clock: ManualClock,
    pub(super) now: i64,
    pub(super) order: OrderId,
    pub(super) user: UserId,
    pub(super) provider: Provider,
    pub(super) holders: Vec<Holder>,
    /// Index of the current holder of each lease.
    pub(super) leases: BTreeMap<LeaseKey, usize>,
    /// Events that cancel the order.
    pub(super) cancelling: [EventId; 2],
    /// Delivered events of [`Self::cancelling`].
    pub(super) cancelled: BTreeSet<usize>,
    /// Set if every succeeded refund fails late.
    pub(super) failing: bool,
}

/// Runs a plan and returns its number of commands.
pub(crate) async fn run(fixture: &Fixture, plan: Vec<Command>) -> usize {
    let clock = ManualClock::at(START);
    let store = PaymentUnitOfWork::new(fixture.repository.clone(), clock.shared(), &Metrics::new());
    let mut state = ModelRun {
        fixture,
        store,
        clock,
        now: 0,
        order: OrderId::generate(START),
        user: UserId::generate(START),
        provider: Provider::default(),
        holders: Vec::new(),
        leases: BTreeMap::new(),
        cancelling: std::array::from_fn(|_| EventId::generate(START)),
        cancelled: BTreeSet::new(),
        failing: false,
    };
    for command in &plan {
        state.execute(*command).await;
        state.check().await;
    }
    state.run_to_completion().await;
    plan.len()
}

impl ModelRun<'_> {
    async fn execute(&mut self, command: Command) {
        let payments = self.find().await.map(|payments| payments.payments).unwrap_or_default();
        match command {
            Command::Start => self.start().await,
            Command::Resume(index) => {
                let Some(payment) = pick(&payments, index) else { return };
                let (id, token) = (payment.id, self.store.new_token());
                let resumed = self.update(move |payments, now| Ok(payments.resume(id, token, now))).await.unwrap();
                if let Some(payment) = resumed {
                    self.hold((id, None), token, Task::CreateIntent, payment);
                }
            }
            Command::Confirm(index, same) => {
                let Some(payment) = pick(&payments, index) else { return };
                self.confirm(payment.id, if same { "txn" } else { "other" }).await;
            }
            Command::Refund(index, percent) => {
                let Some(payment) = pick(&payments, index) else { return };
                self.grant(payment, TOTAL * percent / 100).await;
            }
            Command::Cancel(event) => self.cancel(event).await,
            Command::Acquire(index) => {
                let due = self.due_tasks().await;
                if let Some(due) = pick(&due, index) {
                    self.acquire(*due).await;
                }
            }
            Command::Call(..) | Command::RecordResult(_) if self.holders.is_empty() => {}
            // The last holders usually still hold their leases.
            Command::Call(index, behaviour) => self.call(self.last(index), behaviour),
            Command::RecordResult(index) => self.record_result(self.last(index)).await,
            Command::Customer(index, act) => {
                let intents = self.provider.intents.len();
                if intents > 0 {
                    self.provider.act(index % intents, act);
                }
            }
            Command::EndRefund(index, done) => {
                let refunds = self.provider.refunds.len();
                if refunds > 0 {
                    self.provider.end_refund(index % refunds, done);
                }
            }
            Command::FailLate => self.failing = true,
            Command::Retry(index) => {
                if let Some(refund) = pick(&refunds_of(&payments), index) {
                    self.retry(refund).await;
                }
            }
            Command::Settle(index) => {
                if let Some(refund) = pick(&refunds_of(&payments), index) {
                    self.settle(refund).await;
                }
            }
            Command::Webhook(index) => {
                if let Some(webhook) = pick(&self.provider.sent, index).cloned() {
                    self.deliver_webhook(webhook).await;
                }
            }
            Command::Advance(seconds) => self.advance(seconds),
        }
    }

    async fn start(&mut self) {
        let token = self.store.new_token();
        let (user_id, total, currency) = (self.user, Money::from_cents(TOTAL), "USD".to_owned());
        let terms = OrderTerms { user_id, total, currency: currency.clone() };
        let method = PaymentMethod::Card;
        let request = NewPayment {
            user_id,
            amount: total,
            currency,
            method,
            description: None,
            metadata: None,
            actor: Actor::System,
        };
        let outcome = self.update(move |payments, now| payments.start(terms, request, token, now)).await;
        assert_eq!(!self.cancelled.is_empty(), matches!(outcome, Err(PaymentError::OrderCancelled)), "{outcome:?}");
        match outcome {
            Ok(StartOutcome::Started(payment)) => self.hold((payment.id, None), token, Task::CreateIntent, payment),
            Ok(StartOutcome::ReplaceExisting(payment)) => {
                self.hold((payment.id, None), token, Task::Perform(NextAction::CancelIntent), payment);
            }
            Err(_) => {}
        }
    }

    async fn confirm(&mut self, id: PaymentId, transaction: &'static str) {
        let token = self.store.new_token();
        match self.update(move |payments, now| payments.confirm(id, transaction, token, now)).await {
            Ok(ConfirmOutcome::CancelIntentFirst(payment)) => {
                self.hold((id, None), token, Task::Perform(NextAction::CancelIntent), payment);
            }
            Ok(ConfirmOutcome::Locked) => assert!(self.is_leased((id, None)), "the lease is free"),
            Ok(ConfirmOutcome::Confirmed(payment)) => assert!(payment.external),
            Err(_) => {}
        }
    }

    async fn grant(&mut self, payment: &Payment, amount: i64) {
        let (id, token) = (payment.id, self.store.new_token());
        let rule = move |payments: &mut OrderPayments, now| {
            let request = NewRefund { amount: Some(Money::from_cents(amount)), ..NewRefund::default() };
            let granted = payments.grant_refund(id, request, token, now)?;
            Ok((granted, payments.payment(id)?.clone()))
        };
        if let Ok((RefundGrant::SendToProvider(refund), payment)) = self.update(rule).await {
            self.hold((id, Some(refund)), token, Task::SendRefund(refund), payment);
        }
    }

    async fn retry(&mut self, refund: &Refund) {
        let (id, token) = (refund.id, self.store.new_token());
        let Ok(payment) = self.update(move |payments, now| payments.begin_retry(id, token, now)).await else { return };
        let row = payment.refunds.iter().find(|one| one.id == id).unwrap();
        assert!(row.needs_attention && row.status == RefundStatus::Failed, "{row:?}");
        let found = self
            .provider
            .refund_of(id, &row.previous_provider_ids)
            .map(|created| self.provider.refund_snapshot(created));
        let rule =
            move |payments: &mut OrderPayments, now| payments.retry_refund(id, &admin(), token, found.as_ref(), now);
        if let RetryOutcome::SendToProvider(sent) = self.update(rule).await.unwrap() {
            self.leases.remove(&(payment.id, Some(id)));
            self.hold((payment.id, Some(id)), token, Task::SendRefund(id), sent);
        }
    }

    async fn settle(&mut self, refund: &Refund) {
        let id = refund.id;
        let (_, refund_payment) = self.fixture.repository.order_id_by_refund(id).await.unwrap().unwrap();
        let settled = self.update(move |payments, now| payments.settle_refund(id, &admin(), now)).await;
        let manual = refund.external && refund.status == RefundStatus::Pending;
        if settled.is_ok() {
            assert!(manual || refund.needs_attention, "{refund:?}");
            self.leases.remove(&(refund_payment, Some(id)));
        }
    }

    async fn cancel(&mut self, event: usize) {
        let message = InboxRecord { consumer: "model", event_id: self.cancelling[event] };
        let rule = |payments: &mut OrderPayments, now| {
            payments.cancel_order(now);
            Ok(())
        };
        let outcome = self.store.update_consuming(self.order, message, rule).await;
        if self.cancelled.insert(event) {
            outcome.unwrap();
        } else {
            assert!(matches!(outcome, Err(Error::Store(StoreError::AlreadyHandled))), "{outcome:?}");
        }
    }

    /// Acquires the lease of a due task, unless another worker holds it.
    pub(super) async fn acquire(&mut self, due: ReconcileTask) {
        let token = self.store.new_token();
        match due {
            ReconcileTask::Payment(_, id) => {
                let acquired =
                    self.update(move |payments, now| payments.acquire_payment_task(id, token, now)).await.unwrap();
                match acquired {
                    Some((action, payment)) => self.hold((id, None), token, Task::Perform(action), payment),
                    None => self.drop_expired((id, None)),
                }
            }
            ReconcileTask::Refund(_, id, refund) => {
                let acquired = self
                    .update(move |payments, now| payments.acquire_refund_task(id, refund, token, now))
                    .await
                    .unwrap();
                match acquired {
                    Some(payment) => self.hold((id, Some(refund)), token, Task::SendRefund(refund), payment),
                    None => self.drop_expired((id, Some(refund))),
                }
            }
        }
    }

    fn hold(&mut self, key: LeaseKey, token: FencingToken, task: Task, payment: Payment) {
        assert!(!self.is_leased(key), "the lease is held: {key:?}");
        self.leases.insert(key, self.holders.len());
        self.holders.push(Holder { token, until: self.now + LEASE, task, payment, result: None });
    }

    /// Removes an expired lease after a task that had nothing to do.
    fn drop_expired(&mut self, key: LeaseKey) {
        if !self.is_leased(key) {
            self.leases.remove(&key);
        }
    }

    fn is_leased(&self, key: LeaseKey) -> bool {
        self.leases.get(&key).is_some_and(|holder| self.holders[*holder].until > self.now)
    }

    /// Records the result of a call, which succeeds only for the current holder of the lease.
    pub(super) async fn record_result(&mut self, index: usize) {
        let Holder { token, task, payment, result, .. } = self.holders[index].clone();
        let id = payment.id;
        let (key, outcome) = match task {
            Task::SendRefund(refund) => {
                let result = match result {
                    Some(CallResult::Refund(result)) => result,
                    _ => RefundSyncResult::NoResponse,
                };
                let rule = move |payments: &mut OrderPayments, now| {
                    payments.record_refund_result(id, refund, token, &result, now)
                };
                ((id, Some(refund)), self.update(rule).await)
            }
            Task::CreateIntent | Task::Perform(_) => {
                let result = match result {
                    Some(CallResult::Payment(result)) => result,
                    _ => SyncResult::NoResponse,
                };
                ((id, None), self.update(move |payments, now| payments.record_result(id, token, &result, now)).await)
            }
        };
        if self.leases.get(&key) == Some(&index) {
            self.leases.remove(&key);
            outcome.unwrap();
        } else {
            assert_eq!(outcome.unwrap_err(), PaymentError::LeaseLost);
        }
    }

    pub(super) async fn deliver_webhook(&self, webhook: Webhook) {
        let (intent, payment) = match &webhook {
            Webhook::Intent(intent, payment) => (intent, Some(*payment)),
            Webhook::Refund(intent, _) => (intent, None),
        };
        let mut order = self.store.order_id_by_intent(intent).await.unwrap();
        if let (None, Some(payment)) = (order, payment) {
            order = self.store.order_id_by_payment(payment).await.unwrap();
        }
        if order.is_none() {
            return;
        }
        assert_eq!(order, Some(self.order));
        let rule = |payments: &mut OrderPayments, now| match &webhook {
            Webhook::Intent(intent, payment) => payments.add_intent_hint(intent, Some(*payment), None, now),
            Webhook::Refund(intent, claim) => {
                payments.request_refund_sync(intent, claim.as_ref(), None, now);
                Ok(())
            }
        };
        self.update(rule).await.unwrap();
    }

    async fn update<T: Send>(
        &self,
        rule: impl FnOnce(&mut OrderPayments, DateTime<Utc>) -> Result<T, PaymentError> + Send,
    ) -> Result<T, PaymentError> {
        match self.store.update(self.order, rule).await {
            Ok(done) => Ok(done),
            Err(Error::Domain(error)) => Err(error),
            Err(other) => panic!("{other}"),
        }
    }

    pub(super) async fn find(&self) -> Option<OrderPayments> {
        self.fixture.repository.find(self.order).await.unwrap()
    }

    /// Lists the due tasks of this order; failed plans may have left tasks of other orders.
    pub(super) async fn due_tasks(&self) -> Vec<ReconcileTask> {
        let mut due = self.fixture.repository.list_due_tasks(self.time(), ALL).await.unwrap();
        due.retain(|due| match due {
            ReconcileTask::Payment(order, _) | ReconcileTask::Refund(order, ..) => *order == self.order,
        });
        due
    }

    pub(super) fn advance(&mut self, seconds: i64) {
        self.now += seconds;
        self.clock.advance(TimeDelta::seconds(seconds));
    }

    pub(super) fn time(&self) -> DateTime<Utc> {
        START + TimeDelta::seconds(self.now)
    }

    /// Returns one of the last three holders.
    fn last(&self, index: usize) -> usize {
        let holders = self.holders.len();
        holders - 1 - index % holders.min(3)
    }
}

fn pick<T>(from: &[T], index: usize) -> Option<&T> {
    from.get(index.checked_rem(from.len())?)
}

fn refunds_of(payments: &[Payment]) -> Vec<Refund> {
    payments.iter().flat_map(|payment| payment.refunds.clone()).collect()
}

fn admin() -> Actor {
    Actor::Admin("admin".to_owned())
}
