//! Payments of an order as known from the payment service's events.

use chrono::{DateTime, Utc};
use contracts::api::{OrderPaymentStatus, PaymentMethod, PaymentStatus, RefundCause};
use contracts::{Money, PaymentId, RefundId};
use serde::{Deserialize, Serialize};

// Orders are cached as JSON. The serialized field names are those that every version in a fleet reads, so a renamed field
// keeps its old name there.

/// Local projection of a payment, built from the payment service's events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentProjection {
    /// Id of the payment.
    pub id: PaymentId,
    /// Latest known version of the payment; `None` while only an event of a refund has arrived.
    #[serde(rename = "seen")]
    pub latest: Option<PaymentVersion>,
    /// Captured amount, known from any event that reports it.
    pub captured: Option<Money>,
    /// Sum of all succeeded refunds as reported by the newest refund event. The sum of [`Self::refunds`] may be larger,
    /// because a refund that fails later is repeated.
    pub refunded_total: Money,
    /// Version of the event that reported `refunded_total`; 0 until a versioned event has arrived.
    #[serde(default)]
    pub refund_version: i64,
    /// Refunds reported as succeeded, including those that failed later; oldest first.
    pub refunds: Vec<Refund>,
}

/// State of a payment as reported by one event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentVersion {
    /// Payment method.
    pub method: PaymentMethod,
    /// Requested amount; once the payment is completed, the captured amount.
    pub amount: Money,
    /// Currency code (ISO 4217).
    pub currency: String,
    /// Status of the payment without its refunds.
    pub status: PaymentStatus,
    /// Version of the payment, which grows with each change.
    pub version: i64,
    /// Flag: the captured amount counts toward the total of the order.
    #[serde(rename = "counts")]
    pub counts_toward_total: bool,
    /// Time of creation.
    pub created_at: DateTime<Utc>,
    /// Time of capture.
    pub processed_at: Option<DateTime<Utc>>,
}

/// Refund of a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// Id of the refund.
    pub id: RefundId,
    /// Refunded amount.
    pub amount: Money,
    /// Cause of the refund.
    pub cause: RefundCause,
    /// Time of the refund.
    pub at: DateTime<Utc>,
}

impl PaymentProjection {
    /// Creates an empty projection for a payment whose events have not arrived yet.
    #[must_use]
    pub const fn empty(id: PaymentId) -> Self {
        Self { id, latest: None, captured: None, refunded_total: Money::ZERO, refund_version: 0, refunds: Vec::new() }
    }

    /// Returns the amount that counts toward the total of an order in this currency: the captured amount unless the
    /// capture was late, a duplicate or of another amount. Refunds do not reduce it.
    #[must_use]
    pub fn counted_amount(&self, currency: &str) -> Money {
        let counts = |latest: &&PaymentVersion| {
            is_captured(latest.status) && latest.counts_toward_total && latest.currency == currency
        };
        self.latest.as_ref().filter(counts).map_or(Money::ZERO, |latest| latest.amount)
    }

    /// Returns the status as the order shows it; `None` until an event of the payment itself has arrived.
    #[must_use]
    pub fn status(&self) -> Option<PaymentStatus> {
        let latest = self.latest.as_ref()?;
        Some(match self.captured {
            Some(_) if self.is_fully_refunded() => PaymentStatus::Refunded,
            // A refund implies the capture, even if its event arrives before the event of the capture.
            Some(_) => PaymentStatus::Completed,
            None => latest.status,
        })
    }

    /// Applies the refunded total that an event of `version` reports; the newest version decides. An event of version 0
    /// comes from a writer that neither counted refunds nor reported failed ones, so its totals only grow.
    pub(super) fn apply_refunded_total(&mut self, total: Money, version: i64) {
        if version > self.refund_version {
            self.refunded_total = total;
            self.refund_version = version;
        } else if version == 0 || version == self.refund_version {
            self.refunded_total = self.refunded_total.max(total);
        }
    }

    fn is_fully_refunded(&self) -> bool {
        self.captured.is_some_and(|captured| self.refunded_total >= captured)
    }
}

/// Returns whether a payment in this status holds or held money.
pub(super) const fn is_captured(status: PaymentStatus) -> bool {
    matches!(status, PaymentStatus::Completed | PaymentStatus::Refunded)
}

/// Derives the payment status of an order with this total. The first match decides: `refunded` if everything captured
/// was refunded, `completed` if the counted amounts cover the total, `processing` while the provider is processing a
/// payment, `failed` if the last payment failed, otherwise `pending`.
#[must_use]
pub fn payment_status(payments: &[PaymentProjection], total: Money, currency: &str) -> OrderPaymentStatus {
    let mut captured = payments.iter().filter(|payment| payment.captured.is_some()).peekable();
    let counted: Money = payments.iter().map(|payment| payment.counted_amount(currency)).sum();
    let last = payments.iter().filter_map(|payment| Some((payment.latest.as_ref()?.created_at, payment.id, payment)));
    let last = last.max_by_key(|(at, id, _)| (*at, *id)).and_then(|(_, _, payment)| payment.status());
    if captured.peek().is_some() && captured.all(PaymentProjection::is_fully_refunded) {
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
