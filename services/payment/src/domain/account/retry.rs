//! Refunds that need attention: a person has them tried again, or says that they were paid by hand.

use chrono::{DateTime, Utc};
use contracts::RefundId;
use contracts::calls::RefundStatus;

use super::Account;
use crate::domain::{Actor, LeaseToken, Payment, RefundSeen, Refusal};

/// What a retry leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum Retry {
    /// The provider has it after all: nothing is sent.
    Found(Payment),
    /// It is pending again and its amount held; it is to be sent to the provider under the lease.
    Send(Payment),
}

impl Account {
    /// Takes the lease of a refund that needs attention, to look it up at the provider before it is tried again.
    ///
    /// # Errors
    /// [`Refusal::RefundNotFound`]; [`Refusal::NotRetryable`] if it does not need attention, or somebody is at it.
    pub fn begin_retry(&mut self, refund: RefundId, token: LeaseToken, now: DateTime<Utc>) -> Result<Payment, Refusal> {
        let (index, at) = self.refund_index(refund)?;
        let cancelled = self.is_cancelled();
        let payment = &mut self.payments[index];
        let owed = payment.owed_back(cancelled);
        let row = &mut payment.refunds[at];
        if !row.needs_attention || owed.is_zero() || !row.work.take(token, now) {
            return Err(Refusal::NotRetryable);
        }
        Ok(payment.clone())
    }

    /// Gives the lease back without a new attempt, since the provider could not be asked.
    ///
    /// # Errors
    /// [`Refusal::LeaseLost`] if the lease ran out and somebody took it up.
    pub fn abandon_retry(&mut self, refund: RefundId, token: LeaseToken, now: DateTime<Utc>) -> Result<(), Refusal> {
        let (index, at) = self.refund_index(refund)?;
        let row = &mut self.payments[index].refunds[at];
        if !row.work.is_held_by(token) {
            return Err(Refusal::LeaseLost);
        }
        row.release(now);
        Ok(())
    }

    /// Makes the next attempt of a refund that needs attention, with what the look-up at the provider `found` of the
    /// last one. The lease stays with the caller if it is to be sent.
    ///
    /// # Errors
    /// [`Refusal::LeaseLost`] if the lease ran out and somebody took it up; [`Refusal::NotRetryable`] if nothing of it is
    /// owed any more.
    pub fn retry_refund(
        &mut self,
        refund: RefundId,
        actor: &Actor,
        token: LeaseToken,
        found: Option<&RefundSeen>,
        now: DateTime<Utc>,
    ) -> Result<Retry, Refusal> {
        let (index, at) = self.refund_index(refund)?;
        let work = self.payments[index].refunds[at].work.clone();
        if !work.is_held_by(token) {
            return Err(Refusal::LeaseLost);
        }
        if let Some(seen) = found {
            let seen = RefundSeen { ours: Some(refund), ..seen.clone() };
            self.hear_refund(&seen, |known| work.is_newer_than(known.updated_at), now);
        }
        let cancelled = self.is_cancelled();
        let payment = &mut self.payments[index];
        if payment.refunds[at].status != RefundStatus::Failed {
            payment.refunds[at].release(now);
            return Ok(Retry::Found(payment.clone()));
        }
        let owed = payment.owed_back(cancelled);
        let row = &mut payment.refunds[at];
        if !row.needs_attention || owed.is_zero() {
            return Err(Refusal::NotRetryable);
        }
        row.amount = row.amount.min(owed);
        row.status = RefundStatus::Pending;
        row.needs_attention = false;
        row.attempts = row.attempts.saturating_add(1);
        row.failure = None;
        row.former.extend(row.provider_refund.take());
        row.actor = Some(actor.clone());
        row.updated_at = now;
        row.work.attempt += 1;
        row.work.doubt = None;
        row.work.called_at = Some(now);
        payment.updated_at = now;
        Ok(Retry::Send(payment.clone()))
    }

    /// Books that a person paid a refund by hand, all of it: one that is external, or one that needs attention. It is
    /// never sent again.
    ///
    /// # Errors
    /// [`Refusal::RefundNotFound`]; [`Refusal::NotSettleable`] if it is neither, or an attempt is in flight;
    /// [`Refusal::SettlesTooMuch`] if less than its amount is still owed.
    pub fn settle_refund(&mut self, refund: RefundId, actor: &Actor, now: DateTime<Utc>) -> Result<Payment, Refusal> {
        let (index, at) = self.refund_index(refund)?;
        let cancelled = self.is_cancelled();
        let payment = &mut self.payments[index];
        let owed = payment.owed_back(cancelled);
        let row = &mut payment.refunds[at];
        let by_people = row.external && row.status == RefundStatus::Pending;
        let waits = row.needs_attention && !owed.is_zero() && !row.work.is_leased(now);
        if !waits && !by_people {
            return Err(Refusal::NotSettleable);
        }
        if waits && row.amount > owed {
            return Err(Refusal::SettlesTooMuch { owed });
        }
        row.settled = true;
        // Whoever was at it too late has nothing to tell any more.
        row.work.lease = None;
        row.actor = Some(actor.clone());
        self.turn(index, at, RefundStatus::Succeeded, now);
        Ok(self.payments[index].clone())
    }

    fn refund_index(&self, refund: RefundId) -> Result<(usize, usize), Refusal> {
        let of = |payment: &Payment| payment.refunds.iter().position(|one| one.id == refund);
        let found = self.payments.iter().enumerate().find_map(|(index, payment)| Some((index, of(payment)?)));
        found.ok_or(Refusal::RefundNotFound)
    }
}
