//! What an order makes of the payment service's events, in whatever order they come, and however often.

use chrono::{DateTime, Utc};
use contracts::calls::OrderStatus;
use contracts::event::{PaymentChanged, PaymentRefundFailed, PaymentRefunded};
use contracts::{Event, PaymentId};

use super::payment::is_captured;
use super::{Order, Payment, Refund, Seen};

impl Order {
    /// Takes in a change of a payment, unless a newer one was heard of. A pending order that is paid by it is confirmed;
    /// a cancelled one stays so.
    pub fn hear(&mut self, changed: &PaymentChanged, now: DateTime<Utc>) -> Vec<Event> {
        let payment = self.payment(changed.payment_id);
        if payment.seen.as_ref().is_some_and(|seen| seen.version >= changed.version) {
            return Vec::new();
        }
        let captured = is_captured(changed.status);
        let processed_at = payment.seen.as_ref().and_then(|seen| seen.processed_at);
        payment.seen = Some(Seen {
            method: changed.method,
            amount: changed.amount,
            currency: changed.currency.clone(),
            status: changed.status,
            version: changed.version,
            counts: changed.counts,
            created_at: changed.created_at,
            processed_at: processed_at.or_else(|| captured.then_some(changed.timestamp)),
        });
        if captured {
            payment.captured = Some(changed.amount);
        }
        self.sort_payments();
        self.updated_at = now;
        if self.status == OrderStatus::Pending && self.owed().is_zero() {
            return vec![self.go_on(OrderStatus::Confirmed, now)];
        }
        Vec::new()
    }

    /// Applies a succeeded refund, unless it is known.
    pub fn hear_refund(&mut self, refunded: &PaymentRefunded, now: DateTime<Utc>) {
        self.change_payment(refunded.payment_id, now, |payment| {
            let known = payment.refunds.iter().any(|refund| refund.id == refunded.refund_id);
            payment.captured = payment.captured.or(Some(refunded.amount));
            // Without a version, a repetition that comes after a failure would look like a new refund.
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
            }
        });
    }

    /// Applies a failed refund: what it was reported to have given back is captured money again.
    pub fn hear_refund_failure(&mut self, failed: &PaymentRefundFailed, now: DateTime<Utc>) {
        self.change_payment(failed.payment_id, now, |payment| {
            payment.apply_refunded_total(failed.refunded_total, failed.version);
        });
    }

    fn change_payment(&mut self, id: PaymentId, now: DateTime<Utc>, change: impl FnOnce(&mut Payment)) {
        let payment = self.payment(id);
        let before = payment.clone();
        change(payment);
        if *payment != before {
            self.sort_payments();
            self.updated_at = now;
        }
    }

    fn payment(&mut self, id: PaymentId) -> &mut Payment {
        let index = self.payments.iter().position(|payment| payment.id == id).unwrap_or_else(|| {
            self.payments.push(Payment::unknown(id));
            self.payments.len() - 1
        });
        &mut self.payments[index]
    }

    /// Brings the payments into the order in which they were made; those of which only a refund is known come last.
    pub(crate) fn sort_payments(&mut self) {
        self.payments.sort_by_key(|payment| {
            let created_at = payment.seen.as_ref().map(|seen| seen.created_at);
            (created_at.is_none(), created_at, payment.id)
        });
    }
}

#[cfg(test)]
mod tests;
