//! Application of the payment service's events to an order. The result does not depend on their order of arrival, and
//! repeated events have no further effect.

use chrono::{DateTime, Utc};
use contracts::api::OrderStatus;
use contracts::event::{PaymentChanged, PaymentRefundFailed, PaymentRefunded};
use contracts::{Event, PaymentId};

use super::payment_projection::is_captured;
use super::{Order, PaymentProjection, PaymentVersion, Refund};

impl Order {
    /// Applies a change of a payment unless a newer version is known. A pending order that is paid by it is confirmed; a
    /// cancelled order stays cancelled.
    pub fn apply_payment_event(&mut self, changed: &PaymentChanged, now: DateTime<Utc>) -> Vec<Event> {
        let payment = self.payment(changed.payment_id);
        if payment.latest.as_ref().is_some_and(|latest| latest.version >= changed.version) {
            return Vec::new();
        }
        let captured = is_captured(changed.status);
        let processed_at = payment.latest.as_ref().and_then(|latest| latest.processed_at);
        payment.latest = Some(PaymentVersion {
            method: changed.method,
            amount: changed.amount,
            currency: changed.currency.clone(),
            status: changed.status,
            version: changed.version,
            counts_toward_total: changed.counts,
            created_at: changed.created_at,
            processed_at: processed_at.or_else(|| captured.then_some(changed.timestamp)),
        });
        if captured {
            payment.captured = Some(changed.amount);
        }
        self.sort_payments();
        self.updated_at = now;
        if self.status == OrderStatus::Pending && self.amount_due().is_zero() {
            return vec![self.transition_to(OrderStatus::Confirmed, now)];
        }
        Vec::new()
    }

    /// Applies a succeeded refund unless it is known.
    pub fn apply_refund_event(&mut self, refunded: &PaymentRefunded, now: DateTime<Utc>) -> Vec<Event> {
        self.change_payment(refunded.payment_id, now, |payment| {
            let known = payment.refunds.iter().any(|refund| refund.id == refunded.refund_id);
            payment.captured = payment.captured.or(Some(refunded.amount));
            // Without a version, a repeated event after a failure would look like a new refund.
            if !known || refunded.version > 0 {
                payment.apply_refunded_total(refunded.refunded_total, refunded.version);
            }
            if !known {
                payment.refunds.push(Refund {
                    id: refunded.refund_id,
                    amount: refunded.refund_amount,
                    cause: refunded.cause,
                    at: refunded.timestamp,
                });
                payment.refunds.sort_by_key(|refund| (refund.at, refund.id));
            }
        });
        Vec::new()
    }

    /// Applies a failed refund: its amount counts as captured again.
    pub fn apply_refund_failure_event(&mut self, failed: &PaymentRefundFailed, now: DateTime<Utc>) -> Vec<Event> {
        self.change_payment(failed.payment_id, now, |payment| {
            payment.apply_refunded_total(failed.refunded_total, failed.version);
        });
        Vec::new()
    }

    fn change_payment(&mut self, id: PaymentId, now: DateTime<Utc>, change: impl FnOnce(&mut PaymentProjection)) {
        let payment = self.payment(id);
        let before = payment.clone();
        change(payment);
        if *payment != before {
            self.sort_payments();
            self.updated_at = now;
        }
    }

    fn payment(&mut self, id: PaymentId) -> &mut PaymentProjection {
        let index = self.payments.iter().position(|payment| payment.id == id).unwrap_or_else(|| {
            self.payments.push(PaymentProjection::empty(id));
            self.payments.len() - 1
        });
        &mut self.payments[index]
    }

    /// Sorts the payments by creation; payments that are known from a refund only come last.
    pub(crate) fn sort_payments(&mut self) {
        self.payments.sort_by_key(|payment| {
            let created_at = payment.latest.as_ref().map(|latest| latest.created_at);
            (created_at.is_none(), created_at, payment.id)
        });
    }
}

#[cfg(test)]
mod tests;
