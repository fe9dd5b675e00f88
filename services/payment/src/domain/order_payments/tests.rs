use chrono::{DateTime, Duration, Utc};
use contracts::api::{PaymentMethod, PaymentStatus, RefundCause, RefundStatus};
use contracts::{Actor, Event, Money, OrderId, PaymentId, RefundId, UserId};

use crate::domain::*;

mod captures;
mod confirmations;
mod hints;
mod refund_retry;
mod refunds;
mod tasks;

const START: DateTime<Utc> = DateTime::from_timestamp_millis(1_700_000_000_000).unwrap();
const TOTAL: Money = Money::from_cents(10_000);

fn usd(cents: i64) -> Captured {
    Captured { amount: Money::from_cents(cents), currency: "USD".to_owned() }
}

fn succeeded(cents: i64) -> IntentStatus {
    IntentStatus::Succeeded(usd(cents))
}

fn declined() -> IntentStatus {
    IntentStatus::Declined { reason: "Your card was declined.".to_owned(), kind: Decline::Other }
}

/// Payments of one order, with a clock.
struct Scenario {
    order: OrderPayments,
    user: UserId,
    now: DateTime<Utc>,
}

impl Scenario {
    fn new() -> Self {
        let order = OrderPayments::unknown(OrderId::generate(START));
        Self { order, user: UserId::generate(START), now: START }
    }

    fn later(&mut self, seconds: i64) -> &mut Self {
        self.now += Duration::seconds(seconds);
        self
    }

    fn token(&self) -> FencingToken {
        FencingToken::generate(self.now)
    }

    fn start(&mut self, amount: Money, token: FencingToken) -> Result<StartOutcome, PaymentError> {
        let terms = OrderTerms { user_id: self.user, total: TOTAL, currency: "USD".to_owned() };
        let request = NewPayment {
            user_id: self.user,
            amount,
            currency: "USD".to_owned(),
            method: PaymentMethod::Card,
            description: None,
            metadata: None,
            actor: Actor::System,
        };
        self.order.start(terms, request, token, self.now)
    }

    /// Starts a payment that waits for the customer, with the intent `pi_<n>`.
    fn started(&mut self) -> PaymentId {
        let token = self.token();
        let StartOutcome::Started(payment) = self.start(TOTAL, token).unwrap() else { panic!("another one is open") };
        let intent = format!("pi_{}", self.order.payments.len());
        let snapshot = IntentSnapshot {
            id: intent,
            payment: Some(payment.id),
            status: IntentStatus::AwaitingCustomer,
            captured_at: None,
        };
        self.order.record_result(payment.id, token, &SyncResult::Snapshot(snapshot), self.now).unwrap();
        payment.id
    }

    fn completed(&mut self) -> PaymentId {
        let id = self.started();
        self.apply_status(&format!("pi_{}", self.order.payments.len()), None, succeeded(10_000));
        id
    }

    fn confirmed(&mut self, transaction: &str) -> PaymentId {
        let (id, token) = (self.started(), self.token());
        assert!(matches!(
            self.order.confirm(id, transaction, token, self.now),
            Ok(ConfirmOutcome::CancelIntentFirst(_))
        ));
        self.record_status(id, token, IntentStatus::Canceled);
        id
    }

    fn apply_status(&mut self, intent: &str, payment: Option<PaymentId>, status: IntentStatus) {
        self.order
            .apply_intent(&IntentSnapshot { id: intent.to_owned(), payment, status, captured_at: None }, self.now);
    }

    fn record_status(&mut self, id: PaymentId, token: FencingToken, status: IntentStatus) {
        let intent = self.payment(id).intent.clone().unwrap();
        let snapshot = IntentSnapshot { id: intent, payment: Some(id), status, captured_at: None };
        self.order.record_result(id, token, &SyncResult::Snapshot(snapshot), self.now).unwrap();
    }

    fn grant(&mut self, id: PaymentId, cents: Option<i64>) -> Result<RefundId, PaymentError> {
        let (amount, token) = (cents.map(Money::from_cents), self.token());
        match self.order.grant_refund(id, NewRefund { amount, ..NewRefund::default() }, token, self.now)? {
            RefundGrant::SendToProvider(refund) => Ok(refund),
            RefundGrant::RecordedOnly => Ok(self.payment(id).refunds.last().unwrap().id),
        }
    }

    fn apply_refund_status(&mut self, id: &str, refund_id: Option<RefundId>, cents: i64, status: ProviderRefundStatus) {
        let snapshot = RefundSnapshot {
            id: id.to_owned(),
            intent: "pi_1".to_owned(),
            refund_id,
            amount: Money::from_cents(cents),
            status,
            failure_reason: None,
        };
        self.order.apply_refund(&snapshot, |_| false, self.now);
    }

    fn payment(&self, id: PaymentId) -> &Payment {
        self.order.payment(id).unwrap()
    }

    fn status(&self, id: PaymentId) -> PaymentStatus {
        self.payment(id).status()
    }

    fn refunds(&self, id: PaymentId) -> Vec<(i64, RefundStatus, RefundCause)> {
        self.payment(id).refunds.iter().map(|one| (one.amount.cents(), one.status, one.cause)).collect()
    }

    /// Takes the events as text: kind, payment version and refunded total.
    fn events(&mut self) -> Vec<String> {
        let describe = |(_, event): (_, Event)| match event {
            Event::PaymentRefunded(data) => format!("refunded {}, version {}", data.refunded_total, data.version),
            Event::PaymentRefundFailed(data) => {
                format!("refund failed {}, version {}", data.refunded_total, data.version)
            }
            Event::PaymentCreated(data) => format!("created {}", data.version),
            Event::PaymentProcessing(data) => format!("processing {}", data.version),
            Event::PaymentCompleted(data) if data.counts => format!("completed {}", data.version),
            Event::PaymentCompleted(data) => format!("completed {}, does not count", data.version),
            Event::PaymentFailed(data) => format!("failed {}", data.version),
            Event::PaymentCancelled(data) => format!("cancelled {}", data.version),
            other => format!("{other:?}"),
        };
        self.order.take_events().into_iter().map(describe).collect()
    }
}

impl Scenario {
    /// Creates a refund of `cents` that failed late five times, and returns its last attempt.
    fn exhausted(&mut self, id: PaymentId, cents: i64) -> RefundId {
        let mut refund = self.grant(id, Some(cents)).unwrap();
        for attempt in 1..=MAX_ATTEMPTS {
            self.apply_refund_status(&format!("re_{attempt}"), Some(refund), cents, ProviderRefundStatus::Succeeded);
            self.apply_refund_status(&format!("re_{attempt}"), Some(refund), cents, ProviderRefundStatus::Failed);
            let token = self.later(600).token();
            self.order.acquire_payment_task(id, token, self.now).unwrap();
            refund = self.payment(id).refunds.last().unwrap().id;
        }
        refund
    }

    fn refund(&self, id: RefundId) -> &Refund {
        self.order.payments.iter().flat_map(|payment| &payment.refunds).find(|refund| refund.id == id).unwrap()
    }

    fn outstanding(&self, id: PaymentId) -> i64 {
        self.payment(id).outstanding_refund(self.order.is_cancelled()).cents()
    }

    /// Retries a refund; `found` is the status of its previous attempt at the provider.
    fn retry(&mut self, id: RefundId, found: Option<ProviderRefundStatus>) -> Result<RetryOutcome, PaymentError> {
        let token = self.later(1).token();
        let payment = self.order.begin_retry(id, token, self.now)?;
        let refund = payment.refunds.iter().find(|refund| refund.id == id).unwrap();
        let found = found.map(|status| RefundSnapshot {
            id: refund.provider_refund_id.clone().unwrap(),
            intent: "pi_1".to_owned(),
            refund_id: Some(id),
            amount: refund.amount,
            status,
            failure_reason: None,
        });
        self.order.retry_refund(id, &admin(), token, found.as_ref(), self.now)
    }
}

fn admin() -> Actor {
    Actor::Admin("admin".to_owned())
}
