//! Granting, creating and synchronising refunds.

use chrono::{DateTime, Utc};
use contracts::api::{PaymentStatus, RefundCause, RefundStatus};
use contracts::{Actor, Money, PaymentId, RefundId};

use super::OrderPayments;
use crate::domain::{FencingToken, PaymentError, ProviderRefundStatus, Refund, RefundSnapshot, backoff};

/// Request for a refund.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewRefund {
    /// Amount; `None` for the refundable amount.
    pub amount: Option<Money>,
    /// Reason of the refund, as free text.
    pub reason: Option<String>,
    /// Requesting caller.
    pub actor: Actor,
}

/// Outcome of [`OrderPayments::grant_refund`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundGrant {
    /// The money was moved manually: the refund is recorded and not sent to the provider.
    RecordedOnly,
    /// The refund was created and reserves its amount; it is to be sent to the provider under the lease.
    SendToProvider(RefundId),
}

impl OrderPayments {
    /// Grants a refund requested by a trusted caller.
    ///
    /// For an external payment the request reports a manual refund, which reduces the refund that is due already.
    ///
    /// # Errors
    /// [`PaymentError::NotRefundable`] or [`PaymentError::RefundTooLarge`].
    pub fn grant_refund(
        &mut self,
        id: PaymentId,
        request: NewRefund,
        token: FencingToken,
        now: DateTime<Utc>,
    ) -> Result<RefundGrant, PaymentError> {
        let index = self.index(id)?;
        let payment = &mut self.payments[index];
        let status = payment.status();
        if status != PaymentStatus::Completed {
            return Err(PaymentError::NotRefundable { status });
        }
        if let Some(due) = payment.refunds.iter().position(Refund::awaits_manual_payment) {
            return self.record_due_refund(index, due, request, now);
        }
        let refundable = payment.refundable_amount();
        let amount = request.amount.unwrap_or(refundable);
        if amount.is_zero() || amount > refundable {
            return Err(PaymentError::RefundTooLarge { refundable });
        }
        let mut refund = Refund::new(amount, RefundCause::Granted, payment.external, now);
        refund.reason = request.reason;
        refund.actor = request.actor;
        let id = refund.id;
        payment.updated_at = now;
        if !payment.external {
            refund.task.acquire(token, now);
            refund.task.mark_called(now);
            payment.refunds.push(refund);
            self.clear_attention(index);
            return Ok(RefundGrant::SendToProvider(id));
        }
        payment.refunds.push(refund);
        let last = self.payments[index].refunds.len() - 1;
        self.set_refund_status(index, last, RefundStatus::Succeeded, now);
        Ok(RefundGrant::RecordedOnly)
    }

    /// Records that all or part of a due external refund was paid manually; the rest stays due.
    fn record_due_refund(
        &mut self,
        index: usize,
        due: usize,
        request: NewRefund,
        now: DateTime<Utc>,
    ) -> Result<RefundGrant, PaymentError> {
        let refunds = &mut self.payments[index].refunds;
        let refundable = refunds[due].amount;
        let paid = request.amount.unwrap_or(refundable);
        let rest = refundable.checked_sub(paid).ok_or(PaymentError::RefundTooLarge { refundable })?;
        refunds[due].amount = refundable.saturating_sub(rest);
        refunds[due].actor = request.actor;
        if request.reason.is_some() {
            refunds[due].reason = request.reason;
        }
        if !rest.is_zero() {
            let cause = refunds[due].cause;
            refunds.push(Refund::new(rest, cause, true, now));
        }
        self.set_refund_status(index, due, RefundStatus::Succeeded, now);
        Ok(RefundGrant::RecordedOnly)
    }

    /// Creates the first refund of an amount that is due, if there is one.
    pub(super) fn create_due_refund(&mut self, index: usize, now: DateTime<Utc>) {
        self.create_refund_attempt(index, 1, now);
    }

    /// Creates the next attempt of a failed refund that is still due.
    pub(super) fn create_next_refund(&mut self, index: usize, now: DateTime<Utc>) {
        let attempts = self.payments[index].last_failed_refund().map_or(0, |last| last.attempts);
        self.create_refund_attempt(index, attempts + 1, now);
    }

    fn create_refund_attempt(&mut self, index: usize, attempts: u32, now: DateTime<Utc>) {
        let cancelled = self.is_cancelled();
        let payment = &mut self.payments[index];
        let due = payment.automatic_refund_due(cancelled);
        if due.is_zero() {
            return;
        }
        let cause = match payment.refund_cause {
            Some(cause) => cause,
            None if cancelled => RefundCause::Cancelled,
            None => payment.last_failed_refund().map_or(RefundCause::Granted, |refund| refund.cause),
        };
        let mut refund = Refund::new(due, cause, payment.external, now);
        refund.reason = Some(reason_text(cause).to_owned());
        refund.attempts = attempts;
        payment.refunds.push(refund);
        payment.updated_at = now;
    }

    /// Applies a snapshot of a refund. Snapshots may arrive in any order. An unknown refund is recorded as initiated at
    /// the provider. `fresh` returns `true` if the snapshot was fetched after a refund's last change.
    pub fn apply_refund(&mut self, snapshot: &RefundSnapshot, fresh: impl Fn(&Refund) -> bool, now: DateTime<Utc>) {
        let by_intent = |intent: &Option<String>| intent.as_deref() == Some(&snapshot.intent);
        let Some(index) = self.payments.iter().position(|payment| by_intent(&payment.intent)) else { return };
        let payment = &mut self.payments[index];
        if payment.external {
            return;
        }
        if payment.captured.is_none() {
            // The refund arrived before the capture: fetch both.
            payment.sync_refunds = true;
            payment.task.schedule_now(now);
            return;
        }
        let by_id = |refund: &Refund| refund.provider_refund_id.as_deref() == Some(&snapshot.id);
        let known = payment.refunds.iter().position(by_id);
        // An attempt that an admin has retried since matters only if it succeeded after all.
        let previous = payment.refunds.iter().any(|refund| refund.previous_provider_ids.contains(&snapshot.id));
        if known.is_none() && previous && snapshot.status != ProviderRefundStatus::Succeeded {
            return;
        }
        let named = || {
            let unassigned = |refund: &Refund| {
                Some(refund.id) == snapshot.refund_id && refund.provider_refund_id.is_none() && !refund.external
            };
            payment.refunds.iter().position(unassigned).filter(|_| !previous)
        };
        let at = known.or_else(named).unwrap_or_else(|| {
            let mut refund = Refund::new(snapshot.amount, RefundCause::Provider, false, now);
            refund.task.polls = 1;
            refund.task.due_at = Some(now + backoff(0));
            payment.refunds.push(refund);
            payment.refunds.len() - 1
        });
        let refund = &mut payment.refunds[at];
        // Derived before the provider's id is set: a rejection before the creation is not final.
        let next = refund.on_provider_status(snapshot.status, fresh(refund));
        refund.provider_refund_id = Some(snapshot.id.clone());
        if refund.settled {
            return self.mark_paid_twice(index, at, snapshot.status == ProviderRefundStatus::Succeeded);
        }
        refund.failure_reason.clone_from(&snapshot.failure_reason);
        refund.amount = snapshot.amount;
        if let Some(status) = next {
            self.set_refund_status(index, at, status, now);
        }
    }
}

const fn reason_text(cause: RefundCause) -> &'static str {
    match cause {
        RefundCause::Granted => "Refunded",
        RefundCause::Cancelled => "Order cancelled",
        RefundCause::Late => "Payment no longer wanted",
        RefundCause::Doubled => "Order was paid already",
        RefundCause::Provider => "Refunded by the provider",
    }
}
