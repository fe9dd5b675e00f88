//! Work at the provider: taken by a lease, ended by a report.

use chrono::{DateTime, Utc};
use contracts::calls::RefundStatus;
use contracts::{PaymentId, RefundId};

use super::Account;
use crate::domain::{Captured, Fact, LeaseToken, Need, Payment, RefundReport, RefundSeen, Refusal, Report, State};

impl Account {
    /// Takes the lease of what is to be done about a payment at the provider; `None` if nothing is, or somebody is at it.
    ///
    /// # Errors
    /// If there is no such payment.
    pub fn take_payment(
        &mut self,
        id: PaymentId,
        token: LeaseToken,
        now: DateTime<Utc>,
    ) -> Result<Option<(Need, Payment)>, Refusal> {
        let (index, cancelled) = (self.index(id)?, self.is_cancelled());
        let payment = &mut self.payments[index];
        if !payment.work.take(token, now) {
            return Ok(None);
        }
        match payment.need(cancelled) {
            Some(need @ (Need::Sync | Need::Close | Need::Check)) => {
                // Whoever began it got no answer and has no way to pay it.
                payment.stop |= payment.state == State::Pending && payment.intent.is_none();
                Ok(Some((need, payment.clone())))
            }
            need => {
                if need == Some(Need::Repay) && payment.repay_at().is_none_or(|at| at <= now) {
                    self.repay(index, now);
                }
                self.release(index, now);
                Ok(None)
            }
        }
    }

    /// Ends the work on a payment with what came of it.
    ///
    /// # Errors
    /// [`Refusal::LeaseLost`] if the lease ran out and somebody took it up: then that one's word counts.
    pub fn report(
        &mut self,
        id: PaymentId,
        token: LeaseToken,
        report: &Report,
        now: DateTime<Utc>,
    ) -> Result<Payment, Refusal> {
        let index = self.index(id)?;
        if !self.payments[index].work.is_held_by(token) {
            return Err(Refusal::LeaseLost);
        }
        match report {
            Report::Seen(seen) => self.saw(index, &seen.fact, seen, now),
            Report::Refunds(seen, refunds) => {
                self.saw(index, &seen.fact, seen, now);
                for refund in refunds {
                    self.hear_refund(refund, now);
                }
                self.synced(index);
            }
            Report::Absent => {
                self.synced(index);
                self.nothing_can_come(index, now);
            }
            Report::Refused { reason } => {
                let payment = &mut self.payments[index];
                payment.closed = true;
                if payment.state == State::Pending {
                    payment.state = State::Failed;
                    payment.failure_reason = Some(reason.clone());
                    self.announce(index, now, false);
                }
            }
            Report::Doubt(doubt) => self.payments[index].work.doubt = Some(*doubt),
            Report::Unasked => {}
        }
        self.release(index, now);
        Ok(self.payments[index].clone())
    }

    fn saw(&mut self, index: usize, fact: &Fact, seen: &crate::domain::IntentSeen, now: DateTime<Utc>) {
        self.hear_intent(seen, now);
        let payment = &self.payments[index];
        if payment.state == State::Settling && *fact == Fact::Canceled {
            self.nothing_can_come(index, now);
        }
    }

    /// All refunds are known, unless more was told of while they were asked for.
    fn synced(&mut self, index: usize) {
        let payment = &mut self.payments[index];
        payment.sync_refunds &= payment.work.is_urged();
    }

    /// No money can come by the intent: one that is being settled completes, another open one is cancelled.
    fn nothing_can_come(&mut self, index: usize, now: DateTime<Utc>) {
        let payment = &mut self.payments[index];
        payment.closed = true;
        match payment.state {
            State::Settling => {
                let captured = Captured { amount: payment.amount, currency: payment.currency.clone() };
                self.capture(index, captured, true, now);
            }
            State::Pending | State::Processing => {
                payment.state = State::Cancelled;
                self.announce(index, now, false);
            }
            State::Completed | State::Failed | State::Cancelled => {}
        }
    }

    fn release(&mut self, index: usize, now: DateTime<Utc>) {
        let cancelled = self.is_cancelled();
        let payment = &mut self.payments[index];
        let need = payment.need(cancelled);
        payment.work.release(need.is_some(), now);
        if need == Some(Need::Repay) {
            payment.work.due_at = Some(payment.repay_at().unwrap_or(now).max(now));
        }
    }

    /// Takes the lease of what is to be done about a refund at the provider; `None` if nothing is, or somebody is at it.
    ///
    /// # Errors
    /// If there is no such refund.
    pub fn take_refund(
        &mut self,
        id: PaymentId,
        refund: RefundId,
        token: LeaseToken,
        now: DateTime<Utc>,
    ) -> Result<Option<Payment>, Refusal> {
        let index = self.index(id)?;
        let payment = &mut self.payments[index];
        let at = payment.refunds.iter().position(|one| one.id == refund).ok_or(Refusal::NotFound)?;
        let refund = &mut payment.refunds[at];
        if !refund.work.take(token, now) {
            return Ok(None);
        }
        if !refund.is_due() {
            refund.work.release(false, now);
            return Ok(None);
        }
        refund.work.calling(now);
        Ok(Some(payment.clone()))
    }

    /// Ends the work on a refund with what came of it.
    ///
    /// # Errors
    /// [`Refusal::LeaseLost`] if the lease ran out and somebody took it up: then that one's word counts.
    pub fn report_refund(
        &mut self,
        id: PaymentId,
        refund: RefundId,
        token: LeaseToken,
        report: &RefundReport,
        now: DateTime<Utc>,
    ) -> Result<Payment, Refusal> {
        let index = self.index(id)?;
        let payment = &mut self.payments[index];
        let at = payment.refunds.iter().position(|one| one.id == refund).ok_or(Refusal::NotFound)?;
        let row = &mut payment.refunds[at];
        if !row.work.is_held_by(token) {
            return Err(Refusal::LeaseLost);
        }
        match report {
            RefundReport::Seen(seen) => {
                row.work.doubt = None;
                self.hear_refund(&RefundSeen { ours: Some(refund), ..seen.clone() }, now);
            }
            RefundReport::Refused { reason } => {
                row.failure = Some(reason.clone());
                // Perhaps because the provider gave the money back by itself.
                payment.sync_refunds = true;
                self.turn(index, at, RefundStatus::Failed, now);
                self.payments[index].work.urge(now);
            }
            RefundReport::Doubt { doubt, attempt } => {
                if row.work.attempt != *attempt {
                    row.work.called_at = Some(now);
                }
                row.work.attempt = *attempt;
                row.work.doubt = Some(*doubt);
            }
            RefundReport::Unasked => {}
        }
        let row = &mut self.payments[index].refunds[at];
        let needed = row.is_due();
        row.work.release(needed, now);
        Ok(self.payments[index].clone())
    }
}
