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
            Some(need @ (Need::Look | Need::Sync | Need::Close | Need::Check)) => {
                // Whoever began it got no answer and has no way to pay it.
                payment.stop |= payment.state == State::Pending && payment.intent.is_none();
                Ok(Some((need, payment.clone())))
            }
            need => {
                if need == Some(Need::Repay) && payment.repay_at().is_none_or(|at| at <= now) {
                    self.repay_again(index, now);
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
        // What was asked for meanwhile is asked for again; what this report asks for is another matter.
        let urged = self.payments[index].work.is_urged();
        let before = self.recorded(index);
        match report {
            Report::Seen(seen) => self.saw(index, &seen.fact, seen, now),
            Report::Refunds(seen, refunds) => {
                self.saw(index, &seen.fact, seen, now);
                // What failed before these were asked for and is shown as paid now has been paid since.
                let work = self.payments[index].work.clone();
                for refund in refunds {
                    self.hear_refund(refund, |known| work.is_newer_than(known.updated_at), now);
                }
                self.synced(index, urged);
            }
            Report::Looked(intent, seen) => {
                if let Some(seen) = seen {
                    self.saw(index, &seen.fact, seen, now);
                }
                self.looked(index, intent, urged, now);
            }
            Report::Absent => {
                self.synced(index, urged);
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
        let changed = self.recorded(index) != before;
        let payment = &mut self.payments[index];
        if changed {
            payment.forget_idle_looks();
        } else if matches!(report, Report::Looked(..))
            || (matches!(report, Report::Refunds(..)) && payment.captured.is_none())
        {
            payment.count_idle_look(now);
        }
        self.release(index, now);
        Ok(self.payments[index].clone())
    }

    /// What a look may change of what is recorded: how many payments there are, and of this one its version, whether it is
    /// closed, whether its intent is known, and the number of its refunds.
    fn recorded(&self, index: usize) -> (usize, i64, bool, bool, usize) {
        let payment = &self.payments[index];
        (self.payments.len(), payment.version, payment.closed, payment.intent.is_some(), payment.refunds.len())
    }

    fn saw(&mut self, index: usize, fact: &Fact, seen: &crate::domain::IntentSeen, now: DateTime<Utc>) {
        self.hear_intent(seen, now);
        let payment = &self.payments[index];
        if payment.state == State::Settling && *fact == Fact::Canceled {
            self.nothing_can_come(index, now);
        }
    }

    /// All refunds are known, unless more was told of while they were asked for.
    fn synced(&mut self, index: usize, urged: bool) {
        let payment = &mut self.payments[index];
        payment.sync_refunds &= urged;
        if !payment.sync_refunds {
            payment.trace = None;
        }
    }

    /// The intent that a webhook named is known, unless it was named again while it was fetched. What else was named is
    /// fetched next.
    fn looked(&mut self, index: usize, intent: &str, urged: bool, now: DateTime<Utc>) {
        let payment = &mut self.payments[index];
        if !urged {
            payment.hints.retain(|hint| hint != intent);
        }
        if !payment.hints.is_empty() || payment.sync_refunds {
            payment.work.urge(now);
        } else {
            payment.trace = None;
        }
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
        if matches!(need, Some(Need::Look | Need::Sync)) {
            payment.work.due_at = payment.work.due_at.max(payment.hint_due());
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
        if !refund.is_open() && refund.next_look(now).is_none() {
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
                self.hear_refund(&RefundSeen { ours: Some(refund), ..seen.clone() }, |_| false, now);
            }
            RefundReport::Refused { reason } => {
                let open = row.is_open();
                if open {
                    row.failure = Some(reason.clone());
                }
                // Perhaps because the provider gave the money back by itself.
                payment.sync_refunds = true;
                if open {
                    self.turn(index, at, RefundStatus::Failed, now);
                }
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
        self.payments[index].refunds[at].release(now);
        Ok(self.payments[index].clone())
    }
}
