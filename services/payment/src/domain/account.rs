//! All payments of one order, and what is known of the order: the unit that rules look at and stores lock.

use chrono::{DateTime, Utc};
use contracts::calls::{PaymentStatus, RefundCause};
use contracts::event::PaymentChanged;
use contracts::{Event, Money, OrderId, PaymentId, UserId};

use super::facts::Decline;
use super::payment::Payment;
use super::refusal::Refusal;

mod begin;
mod confirm;
mod hear;
mod refunds;
mod retry;
mod work;

#[cfg(test)]
mod tests;

pub use begin::{Begin, NewPayment};
pub use confirm::Confirm;
pub use refunds::{Granted, NewRefund};
pub use retry::Retry;

/// What an order costs and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Who owns the order.
    pub user_id: UserId,
    /// What it costs in all.
    pub total: Money,
    /// In which currency (ISO 4217).
    pub currency: String,
}

/// What the payment service keeps of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRecord {
    /// Its id.
    pub id: OrderId,
    /// What it costs and whose it is; unknown as long as no payment was begun.
    pub terms: Option<Terms>,
    /// The tombstone: when it was cancelled.
    pub cancelled_at: Option<DateTime<Utc>>,
}

/// Something that happened and no event tells, but is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Noted {
    /// A payment was declined.
    Declined(Decline),
    /// Money was recorded that the provider took at this time.
    Taken(DateTime<Utc>),
    /// Money went back. An attempt of what went back before and failed adds nothing.
    Refunded {
        /// Currency (ISO 4217).
        currency: String,
        /// Cause.
        cause: RefundCause,
        /// Growth of what went back in all.
        amount: Money,
    },
    /// The first attempt of a refund failed; those that follow are of the same refund.
    RefundFailed(RefundCause),
    /// The provider paid money that was paid by hand too: a refund that was settled, or another one.
    PaidTwice,
}

/// An order's record and its payments.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// The order.
    pub order: OrderRecord,
    /// Its payments, oldest first.
    pub payments: Vec<Payment>,
    events: Vec<(DateTime<Utc>, Event)>,
    noted: Vec<Noted>,
}

impl Account {
    /// What a store read.
    #[must_use]
    pub const fn new(order: OrderRecord, payments: Vec<Payment>) -> Self {
        Self { order, payments, events: Vec::new(), noted: Vec::new() }
    }

    /// The account of an order of which nothing is known.
    #[must_use]
    pub const fn unknown(id: OrderId) -> Self {
        Self::new(OrderRecord { id, terms: None, cancelled_at: None }, Vec::new())
    }

    /// What happened since it was read, oldest first, with the times.
    pub fn take_events(&mut self) -> Vec<(DateTime<Utc>, Event)> {
        std::mem::take(&mut self.events)
    }

    /// What else is counted since it was read.
    pub fn take_noted(&mut self) -> Vec<Noted> {
        std::mem::take(&mut self.noted)
    }

    /// Whether the order was cancelled.
    #[must_use]
    pub const fn is_cancelled(&self) -> bool {
        self.order.cancelled_at.is_some()
    }

    /// What the order still owes: its total without what was captured and kept. What went back because somebody granted
    /// it is not owed again.
    #[must_use]
    pub fn owed(&self) -> Money {
        let total = self.order.terms.as_ref().map_or(Money::ZERO, |terms| terms.total);
        let kept = self.payments.iter().filter(|payment| payment.unwanted.is_none());
        total.minus_or_zero(kept.map(Payment::captured_amount).sum())
    }

    /// A payment by its id.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if there is none.
    pub fn payment(&self, id: PaymentId) -> Result<&Payment, Refusal> {
        self.payments.iter().find(|payment| payment.id == id).ok_or(Refusal::NotFound)
    }

    fn index(&self, id: PaymentId) -> Result<usize, Refusal> {
        self.payments.iter().position(|payment| payment.id == id).ok_or(Refusal::NotFound)
    }

    /// The order was cancelled: it takes no money any more, and what it took goes back.
    ///
    /// A payment that is being settled is left to finish and is refunded then.
    pub fn cancel_order(&mut self, now: DateTime<Utc>) {
        if self.is_cancelled() {
            return;
        }
        self.order.cancelled_at = Some(now);
        for index in 0..self.payments.len() {
            self.stop(index, now);
            self.repay(index, now);
        }
    }

    /// Sees to it that no money comes by an open payment, but for one that is being settled.
    fn stop(&mut self, index: usize, now: DateTime<Utc>) {
        let payment = &mut self.payments[index];
        if payment.state.is_open() && payment.state != super::State::Settling {
            payment.stop = true;
            payment.updated_at = now;
            payment.work.urge(now);
        }
    }

    /// Counts a change of a payment and announces it as it is now.
    fn announce(&mut self, index: usize, now: DateTime<Utc>, created: bool) {
        let payment = &mut self.payments[index];
        payment.version += 1;
        payment.updated_at = now;
        let data = PaymentChanged {
            payment_id: payment.id,
            order_id: payment.order_id,
            user_id: payment.user_id,
            amount: payment.shown_amount(),
            currency: payment.shown_currency().to_owned(),
            method: payment.method,
            status: payment.status(),
            version: payment.version,
            counts: payment.unwanted.is_none(),
            failure_reason: payment.failure_reason.clone(),
            created_at: payment.created_at,
            timestamp: now,
        };
        let event = match data.status {
            _ if created => Event::PaymentCreated(data),
            PaymentStatus::Pending | PaymentStatus::Processing => Event::PaymentProcessing(data),
            PaymentStatus::Completed | PaymentStatus::Refunded => Event::PaymentCompleted(data),
            PaymentStatus::Failed => Event::PaymentFailed(data),
            PaymentStatus::Cancelled => Event::PaymentCancelled(data),
        };
        self.events.push((now, event));
    }
}
