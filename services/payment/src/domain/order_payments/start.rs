//! Rules that start a payment.

use chrono::{DateTime, Utc};
use contracts::api::PaymentMethod;
use contracts::{Actor, Money, PaymentId, UserId};
use uuid::Uuid;

use super::{OrderPayments, OrderTerms};
use crate::domain::{FencingToken, LeasedTask, Payment, PaymentError, State};

/// Request for a new payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPayment {
    /// Paying customer, the owner of the order.
    pub user_id: UserId,
    /// Amount, which must equal what the order owes.
    pub amount: Money,
    /// Currency of the order (ISO 4217).
    pub currency: String,
    /// Payment method.
    pub method: PaymentMethod,
    /// Description given by the client.
    pub description: Option<String>,
    /// Metadata given by the client: the text of a JSON object.
    pub metadata: Option<String>,
    /// Caller that pays.
    pub actor: Actor,
}

/// Outcome of [`OrderPayments::start`].
#[derive(Clone, Debug, PartialEq)]
pub enum StartOutcome {
    /// The payment was created; its intent is to be created under the lease.
    Started(Payment),
    /// An open payment has to be cancelled at the provider first, under the lease.
    ReplaceExisting(Payment),
}

impl OrderPayments {
    /// Starts a payment of what the order owes, or acquires the open payment in order to replace it.
    ///
    /// # Errors
    /// [`PaymentError::OrderCancelled`], [`PaymentError::OrderPaid`], [`PaymentError::AmountMismatch`], or
    /// [`PaymentError::InProgress`] if the open payment cannot be replaced now.
    pub fn start(
        &mut self,
        terms: OrderTerms,
        request: NewPayment,
        token: FencingToken,
        now: DateTime<Utc>,
    ) -> Result<StartOutcome, PaymentError> {
        self.order.terms = Some(terms);
        if self.is_cancelled() {
            return Err(PaymentError::OrderCancelled);
        }
        let owed = self.owed();
        if owed.is_zero() {
            return Err(PaymentError::OrderPaid);
        }
        if request.amount != owed {
            return Err(PaymentError::AmountMismatch { owed });
        }
        if let Some(open) = self.payments.iter_mut().find(|payment| payment.state.is_open()) {
            if open.state == State::Settling || !open.task.acquire(token, now) {
                return Err(PaymentError::InProgress);
            }
            return Ok(StartOutcome::ReplaceExisting(open.clone()));
        }
        let mut task = LeasedTask::default();
        task.acquire(token, now);
        task.mark_called(now);
        let index = self.payments.len();
        let actor = request.actor.clone();
        self.payments.push(self.new_payment(request, task, now));
        self.emit_created(index, now, actor);
        Ok(StartOutcome::Started(self.payments[index].clone()))
    }

    /// Resumes a started payment whose process died before its intent was recorded. `None` if the payment has advanced
    /// since, or another worker holds its lease.
    pub fn resume(&mut self, id: PaymentId, token: FencingToken, now: DateTime<Utc>) -> Option<Payment> {
        let started =
            |payment: &&mut Payment| payment.id == id && payment.state == State::Pending && !payment.cancel_requested;
        let payment = self.payments.iter_mut().find(started)?;
        if !payment.task.acquire(token, now) {
            return None;
        }
        payment.task.mark_called(now);
        Some(payment.clone())
    }

    pub(super) fn new_payment(&self, request: NewPayment, task: LeasedTask, now: DateTime<Utc>) -> Payment {
        Payment {
            id: self.next_payment_id(now),
            order_id: self.order.id,
            user_id: request.user_id,
            amount: request.amount,
            currency: request.currency,
            method: request.method,
            state: State::Pending,
            intent: None,
            intent_closed: false,
            cancel_requested: false,
            transaction_id: None,
            external: false,
            captured: None,
            refund_cause: None,
            refunds_announced: Money::ZERO,
            sync_refunds: false,
            hints: Vec::new(),
            idle_fetches: 0,
            last_idle_fetch_at: None,
            trace: None,
            description: request.description,
            failure_reason: None,
            metadata: request.metadata,
            version: 0,
            created_at: now,
            updated_at: now,
            processed_at: None,
            refunded_at: None,
            task,
            refunds: Vec::new(),
        }
    }

    /// Generates an id that sorts after those of the order's other payments of the same millisecond (monotonic random,
    /// RFC 9562 section 6.2), because payments are listed by creation time and id.
    fn next_payment_id(&self, now: DateTime<Utc>) -> PaymentId {
        let id = PaymentId::generate(now);
        let same_time = self.payments.iter().filter(|payment| payment.created_at == now);
        match same_time.map(|payment| payment.id).max() {
            Some(last) if last >= id => PaymentId::from_uuid(Uuid::from_u128(last.as_uuid().as_u128() + 1)),
            _ => id,
        }
    }
}
