//! What is known of an order's money.

use chrono::{DateTime, Utc};
use contracts::calls::{OrderPaymentStatus, PaymentMethod, PaymentStatus, RefundCause};
use contracts::{Money, PaymentId, RefundId};
use serde::{Deserialize, Serialize};

/// A payment of an order, as the payment service's events tell of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Its id.
    pub id: PaymentId,
    /// The payment itself; `None` while only a refund of it was heard of, which overtook it.
    pub seen: Option<Seen>,
    /// What was captured, as soon as any event tells.
    pub captured: Option<Money>,
    /// Sum of all succeeded refunds, as the newest event about a refund reports it. The refunds below may come to more,
    /// since one that fails later is made again.
    pub refunded_total: Money,
    /// Version of the event that `refunded_total` is of; 0 until an event with a version came.
    #[serde(default)]
    pub refund_version: i64,
    /// The refunds that were reported as succeeded, also those that failed later.
    pub refunds: Vec<Refund>,
}

/// A payment in its newest version that was heard of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// How it is paid.
    pub method: PaymentMethod,
    /// What was asked for; once it is completed, what was captured.
    pub amount: Money,
    /// In which currency.
    pub currency: String,
    /// Its status; that it was given back is told by its refunds.
    pub status: PaymentStatus,
    /// Counts its changes.
    pub version: i64,
    /// Whether what was captured counts for the order.
    pub counts: bool,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was completed.
    pub processed_at: Option<DateTime<Utc>>,
}

/// Money that went back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// Its id.
    pub id: RefundId,
    /// How much.
    pub amount: Money,
    /// Why.
    pub cause: RefundCause,
    /// When.
    pub at: DateTime<Utc>,
}

impl Payment {
    /// One of which nothing is known yet.
    #[must_use]
    pub const fn unknown(id: PaymentId) -> Self {
        Self { id, seen: None, captured: None, refunded_total: Money::ZERO, refund_version: 0, refunds: Vec::new() }
    }

    /// What of it counts for an order in this currency: what was captured, unless it came late, came twice, or was
    /// another amount. What was given back later counts all the same.
    #[must_use]
    pub fn counted(&self, currency: &str) -> Money {
        let counts = |seen: &&Seen| is_captured(seen.status) && seen.counts && seen.currency == currency;
        self.seen.as_ref().filter(counts).map_or(Money::ZERO, |seen| seen.amount)
    }

    /// Its status, as the order shows it; `None` until its own event has come.
    #[must_use]
    pub fn status(&self) -> Option<PaymentStatus> {
        let seen = self.seen.as_ref()?;
        Some(match self.captured {
            Some(_) if self.is_given_back() => PaymentStatus::Refunded,
            // A refund that overtook the completion tells of it as well.
            Some(_) => PaymentStatus::Completed,
            None => seen.status,
        })
    }

    /// Applies the refunded total that an event of `version` reports: the newest version decides. An event of version 0
    /// comes from a writer that did not count refunds and knew no failed ones; its totals only grow.
    pub(super) fn apply_refunded_total(&mut self, total: Money, version: i64) {
        if version > self.refund_version {
            self.refunded_total = total;
            self.refund_version = version;
        } else if version == 0 || version == self.refund_version {
            self.refunded_total = self.refunded_total.max(total);
        }
    }

    fn is_given_back(&self) -> bool {
        self.captured.is_some_and(|captured| self.refunded_total >= captured)
    }
}

/// Whether a payment in this status holds or held money.
pub(super) const fn is_captured(status: PaymentStatus) -> bool {
    matches!(status, PaymentStatus::Completed | PaymentStatus::Refunded)
}

/// The payment status of an order that costs `total`: `refunded` when all that was captured has been given back, else
/// `completed` when what was captured and counts covers the total, `processing` while the provider is taking a payment,
/// `failed` when the last one failed, else `pending`, also while one waits for the customer.
#[must_use]
pub fn payment_status(payments: &[Payment], total: Money, currency: &str) -> OrderPaymentStatus {
    let mut captured = payments.iter().filter(|payment| payment.captured.is_some()).peekable();
    let counted: Money = payments.iter().map(|payment| payment.counted(currency)).sum();
    let last = payments.iter().filter_map(|payment| Some((payment.seen.as_ref()?.created_at, payment.id, payment)));
    let last = last.max_by_key(|(at, id, _)| (*at, *id)).and_then(|(_, _, payment)| payment.status());
    if captured.peek().is_some() && captured.all(Payment::is_given_back) {
        OrderPaymentStatus::Refunded
    } else if counted >= total {
        OrderPaymentStatus::Completed
    } else if payments.iter().any(|payment| payment.status() == Some(PaymentStatus::Processing)) {
        OrderPaymentStatus::Processing
    } else if last == Some(PaymentStatus::Failed) {
        OrderPaymentStatus::Failed
    } else {
        OrderPaymentStatus::Pending
    }
}

#[cfg(test)]
mod tests;
