//! Admin actions on refunds that need attention: retry and manual settlement.

use chrono::{DateTime, Utc};
use contracts::api::RefundStatus;
use contracts::{Actor, RefundId};

use super::OrderPayments;
use crate::domain::{FencingToken, Payment, PaymentError, RefundSnapshot};

/// Outcome of [`OrderPayments::retry_refund`].
#[derive(Clone, Debug, PartialEq)]
pub enum RetryOutcome {
    /// The previous attempt exists at the provider after all: nothing is sent.
    FoundAtProvider(Payment),
    /// The refund is pending again and reserves its amount; it is to be sent to the provider under the lease.
    SendToProvider(Payment),
}

impl OrderPayments {
    /// Acquires the lease of a refund that needs attention, for the look-up at the provider that precedes a retry.
    ///
    /// # Errors
    /// [`PaymentError::RefundNotFound`]; [`PaymentError::NotRetryable`] if it does not need attention, or another worker
    /// holds its lease.
    pub fn begin_retry(
        &mut self,
        refund: RefundId,
        token: FencingToken,
        now: DateTime<Utc>,
    ) -> Result<Payment, PaymentError> {
        let (index, at) = self.refund_index(refund)?;
        let cancelled = self.is_cancelled();
        let payment = &mut self.payments[index];
        let due = payment.refund_due(cancelled);
        let refund = &mut payment.refunds[at];
        if !refund.needs_attention || due.is_zero() || !refund.task.acquire(token, now) {
            return Err(PaymentError::NotRetryable);
        }
        Ok(payment.clone())
    }

    /// Releases the lease without a new attempt, after the look-up failed.
    ///
    /// # Errors
    /// [`PaymentError::LeaseLost`] if the lease expired and another worker acquired it.
    pub fn abandon_retry(
        &mut self,
        refund: RefundId,
        token: FencingToken,
        now: DateTime<Utc>,
    ) -> Result<(), PaymentError> {
        let (index, at) = self.refund_index(refund)?;
        let refund = &mut self.payments[index].refunds[at];
        if !refund.task.is_held_by(token) {
            return Err(PaymentError::LeaseLost);
        }
        refund.release(now);
        Ok(())
    }

    /// Starts the next attempt of a refund that needs attention. `found` is the previous attempt, as looked up at the
    /// provider. The caller keeps the lease if the refund is to be sent.
    ///
    /// # Errors
    /// [`PaymentError::LeaseLost`] if the lease expired and another worker acquired it; [`PaymentError::NotRetryable`] if
    /// nothing of the refund is due any more.
    pub fn retry_refund(
        &mut self,
        id: RefundId,
        actor: &Actor,
        token: FencingToken,
        found: Option<&RefundSnapshot>,
        now: DateTime<Utc>,
    ) -> Result<RetryOutcome, PaymentError> {
        let (index, at) = self.refund_index(id)?;
        let task = self.payments[index].refunds[at].task.clone();
        if !task.is_held_by(token) {
            return Err(PaymentError::LeaseLost);
        }
        if let Some(snapshot) = found {
            let snapshot = RefundSnapshot { refund_id: Some(id), ..snapshot.clone() };
            self.apply_refund(&snapshot, |known| task.acquired_after(known.updated_at), now);
        }
        let cancelled = self.is_cancelled();
        let payment = &mut self.payments[index];
        if !payment.refunds[at].is_failed() {
            payment.refunds[at].release(now);
            return Ok(RetryOutcome::FoundAtProvider(payment.clone()));
        }
        let due = payment.refund_due(cancelled);
        let refund = &mut payment.refunds[at];
        if !refund.needs_attention || due.is_zero() {
            return Err(PaymentError::NotRetryable);
        }
        refund.amount = refund.amount.min(due);
        refund.status = RefundStatus::Pending;
        refund.needs_attention = false;
        refund.attempts = refund.attempts.saturating_add(1);
        refund.failure_reason = None;
        refund.previous_provider_ids.extend(refund.provider_refund_id.take());
        refund.actor = actor.clone();
        refund.updated_at = now;
        refund.task.attempt += 1;
        refund.task.unknown_outcome = None;
        refund.task.called_at = Some(now);
        payment.updated_at = now;
        Ok(RetryOutcome::SendToProvider(payment.clone()))
    }

    /// Records that an external refund, or one that needs attention, was paid manually in full. It is never sent again.
    ///
    /// # Errors
    /// [`PaymentError::RefundNotFound`]; [`PaymentError::NotSettleable`] if it is neither, or an attempt is in flight;
    /// [`PaymentError::SettlesTooMuch`] if less than its amount is still due.
    pub fn settle_refund(&mut self, id: RefundId, actor: &Actor, now: DateTime<Utc>) -> Result<Payment, PaymentError> {
        let (index, at) = self.refund_index(id)?;
        let cancelled = self.is_cancelled();
        let payment = &mut self.payments[index];
        let owed = payment.refund_due(cancelled);
        let refund = &mut payment.refunds[at];
        let waiting = refund.needs_attention && !owed.is_zero() && !refund.task.is_leased(now);
        if !waiting && !refund.awaits_manual_payment() {
            return Err(PaymentError::NotSettleable);
        }
        if waiting && refund.amount > owed {
            return Err(PaymentError::SettlesTooMuch { owed });
        }
        refund.settled = true;
        // A worker with an expired lease must not record its result any more.
        refund.task.lease = None;
        refund.actor = actor.clone();
        self.set_refund_status(index, at, RefundStatus::Succeeded, now);
        Ok(self.payments[index].clone())
    }

    fn refund_index(&self, id: RefundId) -> Result<(usize, usize), PaymentError> {
        let position = |payment: &Payment| payment.refunds.iter().position(|refund| refund.id == id);
        let found = self.payments.iter().enumerate().find_map(|(index, payment)| Some((index, position(payment)?)));
        found.ok_or(PaymentError::RefundNotFound)
    }
}
