//! Status changes of refunds, with their events and follow-up attempts.

use chrono::{DateTime, Utc};
use contracts::Event;
use contracts::api::{RefundCause, RefundStatus};
use contracts::event::{PaymentRefundFailed, PaymentRefunded};

use super::{DomainMetric, OrderPayments};
use crate::domain::MAX_ATTEMPTS;

impl OrderPayments {
    /// Changes the status of a refund and emits an event for a success or a failure. A failure releases the amount; if it
    /// is due, it is retried after a delay, or waits for an admin after the last attempt.
    pub(super) fn set_refund_status(&mut self, index: usize, at: usize, status: RefundStatus, now: DateTime<Utc>) {
        let cancelled = self.is_cancelled();
        let payment = &mut self.payments[index];
        let refund = &mut payment.refunds[at];
        let previous = std::mem::replace(&mut refund.status, status);
        refund.updated_at = now;
        refund.needs_attention = false;
        payment.updated_at = now;
        // More was refunded than captured: part of it manually and, as another refund, by the provider too.
        let paid_twice = status == RefundStatus::Succeeded && payment.refunded() > payment.captured_amount();
        self.mark_paid_twice(index, at, paid_twice);
        let payment = &mut self.payments[index];
        let refund = &mut payment.refunds[at];
        match status {
            RefundStatus::Pending => {
                refund.task.schedule_now(now);
                self.clear_attention(index);
                return;
            }
            RefundStatus::Succeeded => payment.refunded_at = Some(now),
            RefundStatus::Failed => {
                if previous == RefundStatus::Succeeded && refund.cause == RefundCause::Provider {
                    payment.refunds_announced = payment.refunds_announced.saturating_sub(refund.amount);
                }
                let succeeded = payment.refunds.iter().filter(|refund| refund.status == RefundStatus::Succeeded);
                payment.refunded_at = succeeded.map(|refund| refund.updated_at).max();
                self.plan_next_attempt(index, at, cancelled, now);
            }
        }
        let refund = &mut self.payments[index].refunds[at];
        if refund.task.lease.is_none() {
            refund.release(now);
        }
        if status == RefundStatus::Succeeded {
            self.emit_refunded(index, at, now);
        } else {
            self.emit_refund_failed(index, at, now);
        }
        self.clear_attention(index);
    }

    /// Records whether the provider paid a refund that was paid manually too. The first occurrence is logged and counted.
    pub(super) fn mark_paid_twice(&mut self, index: usize, at: usize, paid_twice: bool) {
        let payment = &mut self.payments[index];
        let (refunded, captured) = (payment.refunded(), payment.captured_amount());
        let refund = &mut payment.refunds[at];
        if paid_twice && !refund.paid_twice {
            tracing::error!(
                payment.id = %payment.id, refund.id = %refund.id, payment.refunded = %refunded, payment.captured = %captured,
                "refund settled manually was paid by the provider too"
            );
            self.metrics.push(DomainMetric::PaidTwice);
        }
        refund.paid_twice = paid_twice;
    }

    fn plan_next_attempt(&mut self, index: usize, at: usize, cancelled: bool, now: DateTime<Utc>) {
        let payment = &mut self.payments[index];
        if payment.automatic_refund_due(cancelled).is_zero() {
            return;
        }
        if payment.refunds[at].attempts >= MAX_ATTEMPTS {
            let refund = &mut payment.refunds[at];
            refund.needs_attention = true;
            tracing::error!(
                payment.id = %payment.id, refund.id = %refund.id, refund.attempts = refund.attempts,
                "last attempt of a due refund failed; it needs attention"
            );
        } else {
            let next_attempt_at = payment.next_refund_at().unwrap_or(now);
            payment.task.schedule(next_attempt_at);
            tracing::warn!(payment.id = %payment.id, refund.next_attempt_at = %next_attempt_at, "due refund failed; retry scheduled");
        }
    }

    /// Clears the attention flags once everything due was refunded otherwise.
    pub(super) fn clear_attention(&mut self, index: usize) {
        let cancelled = self.is_cancelled();
        let payment = &mut self.payments[index];
        if payment.refund_due(cancelled).is_zero() {
            payment.refunds.iter_mut().for_each(|refund| refund.needs_attention = false);
        }
    }

    fn emit_refunded(&mut self, index: usize, at: usize, now: DateTime<Utc>) {
        let payment = &mut self.payments[index];
        payment.version += 1;
        let (total, refund) = (payment.refunded(), &payment.refunds[at]);
        self.metrics.push(DomainMetric::Refunded {
            currency: payment.effective_currency().to_owned(),
            cause: refund.cause,
            amount: total.saturating_sub(payment.refunds_announced),
        });
        let data = PaymentRefunded {
            payment_id: payment.id,
            refund_id: refund.id,
            order_id: payment.order_id,
            user_id: payment.user_id,
            amount: payment.captured_amount(),
            refund_amount: refund.amount,
            refunded_total: total,
            version: payment.version,
            cause: refund.cause,
            reason: refund.reason.clone(),
            outside: refund.external || refund.settled,
            actor: refund.actor.clone(),
            timestamp: now,
        };
        payment.refunds_announced = payment.refunds_announced.max(total);
        self.events.push((now, Event::PaymentRefunded(data)));
    }

    fn emit_refund_failed(&mut self, index: usize, at: usize, now: DateTime<Utc>) {
        let payment = &mut self.payments[index];
        payment.version += 1;
        let refund = &payment.refunds[at];
        if refund.attempts == 1 {
            self.metrics.push(DomainMetric::RefundFailed(refund.cause));
        }
        let data = PaymentRefundFailed {
            payment_id: payment.id,
            refund_id: refund.id,
            order_id: payment.order_id,
            user_id: payment.user_id,
            amount: refund.amount,
            refunded_total: payment.refunded(),
            version: payment.version,
            reason: refund.failure_reason.clone(),
            needs_attention: refund.needs_attention,
            timestamp: now,
        };
        self.events.push((now, Event::PaymentRefundFailed(data)));
    }
}
