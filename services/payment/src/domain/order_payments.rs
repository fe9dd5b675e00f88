//! Aggregate of all payments of one order: the unit that rules change and repositories lock.

use chrono::{DateTime, Utc};
use contracts::api::{OrderSummary, PaymentStatus, RefundCause};
use contracts::event::PaymentChanged;
use contracts::{Actor, Event, Money, OrderId, PaymentId, UserId};

use super::error::PaymentError;
use super::payment::Payment;
use super::snapshots::Decline;
use super::state::State;

mod confirm;
mod intent_snapshots;
mod refund_retry;
mod refund_status;
mod refunds;
mod start;
mod tasks;

#[cfg(test)]
mod tests;

pub use confirm::ConfirmOutcome;
pub use refund_retry::RetryOutcome;
pub use refunds::{NewRefund, RefundGrant};
pub use start::{NewPayment, StartOutcome};

/// Owner and price of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderTerms {
    /// Owner of the order.
    pub user_id: UserId,
    /// Total price of the order.
    pub total: Money,
    /// Currency (ISO 4217).
    pub currency: String,
}

impl From<&OrderSummary> for OrderTerms {
    fn from(order: &OrderSummary) -> Self {
        Self { user_id: order.user_id, total: order.total_amount, currency: order.currency.clone() }
    }
}

/// Stored data about an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRecord {
    /// Id.
    pub id: OrderId,
    /// Owner and price; unknown until the first payment is started.
    pub terms: Option<OrderTerms>,
    /// Time of the cancellation (tombstone).
    pub cancelled_at: Option<DateTime<Utc>>,
}

/// Measured occurrence for which no event is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DomainMetric {
    /// Metric update: a payment was declined.
    Declined(Decline),
    /// A capture was recorded that the provider made at this time.
    Captured(DateTime<Utc>),
    /// A refund succeeded. An attempt that replaces a failed success adds nothing.
    Refunded {
        /// Currency (ISO 4217).
        currency: String,
        /// Cause of the refund.
        cause: RefundCause,
        /// Growth of the refunded total.
        amount: Money,
    },
    /// The first attempt of a refund failed; later attempts belong to the same refund.
    RefundFailed(RefundCause),
    /// The provider paid money that was paid manually too, by a settled refund or by another one.
    PaidTwice,
}

/// Order record with its payments.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderPayments {
    /// Order record.
    pub order: OrderRecord,
    /// Payments, oldest first.
    pub payments: Vec<Payment>,
    events: Vec<(DateTime<Utc>, Event)>,
    metrics: Vec<DomainMetric>,
}

impl OrderPayments {
    /// Creates the aggregate from stored data.
    #[must_use]
    pub const fn new(order: OrderRecord, payments: Vec<Payment>) -> Self {
        Self { order, payments, events: Vec::new(), metrics: Vec::new() }
    }

    /// Creates the aggregate of an order without stored data.
    #[must_use]
    pub const fn unknown(id: OrderId) -> Self {
        Self::new(OrderRecord { id, terms: None, cancelled_at: None }, Vec::new())
    }

    /// Takes the events emitted since loading, oldest first, with their times.
    pub fn take_events(&mut self) -> Vec<(DateTime<Utc>, Event)> {
        std::mem::take(&mut self.events)
    }

    /// Takes the metrics recorded since loading.
    pub fn take_metrics(&mut self) -> Vec<DomainMetric> {
        std::mem::take(&mut self.metrics)
    }

    /// Returns `true` if the order was cancelled.
    #[must_use]
    pub const fn is_cancelled(&self) -> bool {
        self.order.cancelled_at.is_some()
    }

    /// Returns the amount that the order still owes: its total minus the accepted captures. Granted refunds are not owed
    /// again.
    #[must_use]
    pub fn owed(&self) -> Money {
        let total = self.order.terms.as_ref().map_or(Money::ZERO, |terms| terms.total);
        let accepted = self.payments.iter().filter(|payment| payment.refund_cause.is_none());
        total.saturating_sub(accepted.map(Payment::captured_amount).sum())
    }

    /// Returns a payment by id.
    ///
    /// # Errors
    /// [`PaymentError::NotFound`].
    pub fn payment(&self, id: PaymentId) -> Result<&Payment, PaymentError> {
        self.payments.iter().find(|payment| payment.id == id).ok_or(PaymentError::NotFound)
    }

    fn index(&self, id: PaymentId) -> Result<usize, PaymentError> {
        self.payments.iter().position(|payment| payment.id == id).ok_or(PaymentError::NotFound)
    }

    /// Records that the order was cancelled: open payments are cancelled and captures refunded.
    ///
    /// A settling payment finishes first and is refunded then.
    pub fn cancel_order(&mut self, now: DateTime<Utc>) {
        if self.is_cancelled() {
            return;
        }
        self.order.cancelled_at = Some(now);
        for index in 0..self.payments.len() {
            self.request_cancellation(index, now);
            self.create_due_refund(index, now);
        }
    }

    /// Requests the cancellation of an open payment, unless it is settling.
    fn request_cancellation(&mut self, index: usize, now: DateTime<Utc>) {
        let payment = &mut self.payments[index];
        if payment.state.is_open() && payment.state != State::Settling {
            payment.cancel_requested = true;
            payment.updated_at = now;
            payment.task.schedule_now(now);
        }
    }

    /// Emits the creation of a payment by an actor.
    fn emit_created(&mut self, index: usize, now: DateTime<Utc>, actor: Actor) {
        let data = self.next_version(index, now, actor);
        self.events.push((now, Event::PaymentCreated(data)));
    }

    /// Emits the current state of a payment after a change.
    fn emit_changed(&mut self, index: usize, now: DateTime<Utc>) {
        let data = self.next_version(index, now, Actor::System);
        let event = match data.status {
            PaymentStatus::Pending | PaymentStatus::Processing => Event::PaymentProcessing(data),
            PaymentStatus::Completed | PaymentStatus::Refunded => Event::PaymentCompleted(data),
            PaymentStatus::Failed => Event::PaymentFailed(data),
            PaymentStatus::Cancelled => Event::PaymentCancelled(data),
        };
        self.events.push((now, event));
    }

    /// Increments the version of a payment and returns its state.
    fn next_version(&mut self, index: usize, now: DateTime<Utc>, actor: Actor) -> PaymentChanged {
        let payment = &mut self.payments[index];
        payment.version += 1;
        payment.updated_at = now;
        PaymentChanged {
            payment_id: payment.id,
            order_id: payment.order_id,
            user_id: payment.user_id,
            amount: payment.effective_amount(),
            currency: payment.effective_currency().to_owned(),
            method: payment.method,
            status: payment.status(),
            version: payment.version,
            counts: payment.refund_cause.is_none(),
            failure_reason: payment.failure_reason.clone(),
            created_at: payment.created_at,
            actor,
            timestamp: now,
        }
    }
}
