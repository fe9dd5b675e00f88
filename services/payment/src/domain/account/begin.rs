//! Beginning a payment.

use chrono::{DateTime, Utc};
use contracts::calls::PaymentMethod;
use contracts::{Money, PaymentId, UserId};

use super::{Account, Terms};
use crate::domain::{LeaseToken, Payment, Refusal, State, Work};

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPayment {
    /// Who pays: the order's owner.
    pub user_id: UserId,
    /// How much: what the order owes.
    pub amount: Money,
    /// In which currency: the order's.
    pub currency: String,
    /// How.
    pub method: PaymentMethod,
    /// The client's words.
    pub description: Option<String>,
    /// The client's own data: the text of a JSON object.
    pub metadata: Option<String>,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq)]
pub enum Begin {
    /// It is written; its intent is to be made under the lease.
    Opened(Payment),
    /// This one is open and has to be closed at the provider first, under the lease.
    Replace(Payment),
}

impl Account {
    /// Begins a payment of what the order owes, or takes the open one to be replaced.
    ///
    /// # Errors
    /// If the order is cancelled or paid, the amount is not what is owed, or the open payment is being taken.
    pub fn begin(
        &mut self,
        terms: Terms,
        request: NewPayment,
        token: LeaseToken,
        now: DateTime<Utc>,
    ) -> Result<Begin, Refusal> {
        self.order.terms = Some(terms);
        if self.is_cancelled() {
            return Err(Refusal::OrderCancelled);
        }
        let owed = self.owed();
        if owed.is_zero() {
            return Err(Refusal::OrderPaid);
        }
        if request.amount != owed {
            return Err(Refusal::AmountMismatch { owed });
        }
        if let Some(open) = self.payments.iter_mut().find(|payment| payment.state.is_open()) {
            if open.state == State::Settling || !open.work.take(token, now) {
                return Err(Refusal::InProgress);
            }
            return Ok(Begin::Replace(open.clone()));
        }
        let mut work = Work::default();
        work.take(token, now);
        work.calling(now);
        let index = self.payments.len();
        self.payments.push(self.new_payment(request, work, now));
        self.announce(index, now, true);
        Ok(Begin::Opened(self.payments[index].clone()))
    }

    /// Takes up a payment that was begun and whose maker died before its intent was told; `None` if it has gone on
    /// without, or somebody is at it.
    pub fn resume(&mut self, id: PaymentId, token: LeaseToken, now: DateTime<Utc>) -> Option<Payment> {
        let begun = |payment: &&mut Payment| payment.id == id && payment.state == State::Pending && !payment.stop;
        let payment = self.payments.iter_mut().find(begun)?;
        if !payment.work.take(token, now) {
            return None;
        }
        payment.work.calling(now);
        Some(payment.clone())
    }

    pub(super) fn new_payment(&self, request: NewPayment, work: Work, now: DateTime<Utc>) -> Payment {
        Payment {
            id: PaymentId::generate(now),
            order_id: self.order.id,
            user_id: request.user_id,
            amount: request.amount,
            currency: request.currency,
            method: request.method,
            state: State::Pending,
            intent: None,
            closed: false,
            stop: false,
            transaction_id: None,
            external: false,
            captured: None,
            unwanted: None,
            announced: Money::ZERO,
            sync_refunds: false,
            hints: Vec::new(),
            idle_looks: 0,
            idle_look_at: None,
            trace: None,
            description: request.description,
            failure_reason: None,
            metadata: request.metadata,
            version: 0,
            created_at: now,
            updated_at: now,
            processed_at: None,
            refunded_at: None,
            work,
            refunds: Vec::new(),
        }
    }
}
