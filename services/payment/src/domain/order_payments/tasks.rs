//! Provider calls under a lease: acquisition before the call, and recording of its result.

use chrono::{DateTime, Utc};
use contracts::api::RefundStatus;
use contracts::{PaymentId, RefundId};

use super::OrderPayments;
use crate::domain::{
    Captured, FencingToken, IntentSnapshot, IntentStatus, NextAction, Payment, PaymentError, RefundSnapshot,
    RefundSyncResult, State, SyncResult,
};

impl OrderPayments {
    /// Acquires the lease for the next provider call about a payment. `None` if no call is needed, or another worker holds
    /// the lease.
    ///
    /// # Errors
    /// [`PaymentError::NotFound`].
    pub fn acquire_payment_task(
        &mut self,
        id: PaymentId,
        token: FencingToken,
        now: DateTime<Utc>,
    ) -> Result<Option<(NextAction, Payment)>, PaymentError> {
        let (index, cancelled) = (self.index(id)?, self.is_cancelled());
        let payment = &mut self.payments[index];
        if !payment.task.acquire(token, now) {
            return Ok(None);
        }
        match payment.next_action(cancelled) {
            Some(NextAction::CreateRefund) => {
                if payment.next_refund_at().is_none_or(|at| at <= now) {
                    self.create_next_refund(index, now);
                }
                self.release_task(index, now);
                Ok(None)
            }
            Some(action) => {
                // The client that started it received no response and has no way to pay it.
                payment.cancel_requested |= payment.state == State::Pending && payment.intent.is_none();
                Ok(Some((action, payment.clone())))
            }
            None => {
                self.release_task(index, now);
                Ok(None)
            }
        }
    }

    /// Records the result of a provider call about a payment and releases the lease.
    ///
    /// # Errors
    /// [`PaymentError::LeaseLost`] if the lease expired and another worker acquired it, whose result counts.
    pub fn record_result(
        &mut self,
        id: PaymentId,
        token: FencingToken,
        result: &SyncResult,
        now: DateTime<Utc>,
    ) -> Result<Payment, PaymentError> {
        let index = self.index(id)?;
        if !self.payments[index].task.is_held_by(token) {
            return Err(PaymentError::LeaseLost);
        }
        // Determined before the result is applied, which may schedule the task too.
        let rescheduled = self.payments[index].task.was_rescheduled();
        let before = self.change_marker(index);
        match result {
            SyncResult::Snapshot(snapshot) => self.apply_snapshot(index, snapshot, now),
            SyncResult::SnapshotWithRefunds(snapshot, refunds) => {
                self.apply_snapshot(index, snapshot, now);
                // A failure recorded before the fetch and a success in it: the refund succeeded afterwards.
                let task = self.payments[index].task.clone();
                for refund in refunds {
                    self.apply_refund(refund, |known| task.acquired_after(known.updated_at), now);
                }
                self.mark_refunds_synced(index, rescheduled);
            }
            SyncResult::HintedIntent(intent, snapshot) => {
                if let Some(snapshot) = snapshot {
                    self.apply_snapshot(index, snapshot, now);
                }
                self.mark_hint_fetched(index, intent, rescheduled, now);
            }
            SyncResult::NotFound => {
                self.mark_refunds_synced(index, rescheduled);
                self.close_intent(index, now);
            }
            SyncResult::Rejected { reason } => {
                let payment = &mut self.payments[index];
                payment.intent_closed = true;
                if payment.state == State::Pending {
                    payment.state = State::Failed;
                    payment.failure_reason = Some(reason.clone());
                    self.emit_changed(index, now);
                }
            }
            SyncResult::Indeterminate(outcome) => self.payments[index].task.unknown_outcome = Some(*outcome),
            SyncResult::NoResponse => {}
        }
        let changed = self.change_marker(index) != before;
        let payment = &mut self.payments[index];
        let hinted = match result {
            SyncResult::HintedIntent(..) => true,
            SyncResult::SnapshotWithRefunds(..) => payment.captured.is_none(),
            _ => false,
        };
        if changed {
            payment.reset_idle_fetches();
        } else if hinted {
            payment.count_idle_fetch(now);
        }
        self.release_task(index, now);
        Ok(self.payments[index].clone())
    }

    /// Returns everything that a fetch can change: the number of payments, and the version, intent and refunds of this
    /// one.
    fn change_marker(&self, index: usize) -> (usize, i64, bool, bool, usize) {
        let payment = &self.payments[index];
        (self.payments.len(), payment.version, payment.intent_closed, payment.intent.is_some(), payment.refunds.len())
    }

    fn apply_snapshot(&mut self, index: usize, snapshot: &IntentSnapshot, now: DateTime<Utc>) {
        self.apply_intent(snapshot, now);
        let payment = &self.payments[index];
        if payment.state == State::Settling && snapshot.status == IntentStatus::Canceled {
            self.close_intent(index, now);
        }
    }

    /// Records that all refunds were fetched, unless a webhook named another one meanwhile.
    fn mark_refunds_synced(&mut self, index: usize, rescheduled: bool) {
        let payment = &mut self.payments[index];
        payment.sync_refunds &= rescheduled;
        if !payment.sync_refunds {
            payment.trace = None;
        }
    }

    /// Removes the hint of a fetched intent, unless a webhook named it again meanwhile, and schedules the remaining hints.
    fn mark_hint_fetched(&mut self, index: usize, intent: &str, rescheduled: bool, now: DateTime<Utc>) {
        let payment = &mut self.payments[index];
        if !rescheduled {
            payment.hints.retain(|hint| hint != intent);
        }
        if !payment.hints.is_empty() || payment.sync_refunds {
            payment.task.schedule_now(now);
        } else {
            payment.trace = None;
        }
    }

    /// Records that the intent captures nothing any more: a settling payment completes, another open one is cancelled.
    fn close_intent(&mut self, index: usize, now: DateTime<Utc>) {
        let payment = &mut self.payments[index];
        payment.intent_closed = true;
        match payment.state {
            State::Settling => {
                let captured = Captured { amount: payment.amount, currency: payment.currency.clone() };
                self.capture(index, captured, true, now);
            }
            State::Pending | State::Processing => {
                payment.state = State::Cancelled;
                self.emit_changed(index, now);
            }
            State::Completed | State::Failed | State::Cancelled => {}
        }
    }

    fn release_task(&mut self, index: usize, now: DateTime<Utc>) {
        let cancelled = self.is_cancelled();
        let payment = &mut self.payments[index];
        let action = payment.next_action(cancelled);
        payment.task.release(action.is_some(), now);
        match action {
            Some(NextAction::CreateRefund) => {
                payment.task.due_at = Some(payment.next_refund_at().unwrap_or(now).max(now));
            }
            Some(NextAction::FetchHintedIntent | NextAction::SyncRefunds) => {
                payment.task.due_at = payment.task.due_at.max(payment.next_hinted_fetch_at());
            }
            _ => {}
        }
    }

    /// Acquires the lease for the next provider call about a refund. `None` if no call is needed, or another worker holds
    /// the lease.
    ///
    /// # Errors
    /// [`PaymentError::NotFound`].
    pub fn acquire_refund_task(
        &mut self,
        id: PaymentId,
        refund: RefundId,
        token: FencingToken,
        now: DateTime<Utc>,
    ) -> Result<Option<Payment>, PaymentError> {
        let index = self.index(id)?;
        let payment = &mut self.payments[index];
        let refund = payment.refunds.iter_mut().find(|one| one.id == refund).ok_or(PaymentError::NotFound)?;
        if !refund.task.acquire(token, now) {
            return Ok(None);
        }
        if !refund.is_open() && refund.next_check_at(now).is_none() {
            refund.task.release(false, now);
            return Ok(None);
        }
        refund.task.mark_called(now);
        Ok(Some(payment.clone()))
    }

    /// Applies the result of a provider call about a refund to the aggregate and releases the refund's lease.
    ///
    /// # Errors
    /// [`PaymentError::LeaseLost`] if the lease expired and another worker acquired it, whose result counts.
    pub fn record_refund_result(
        &mut self,
        id: PaymentId,
        refund_id: RefundId,
        token: FencingToken,
        result: &RefundSyncResult,
        now: DateTime<Utc>,
    ) -> Result<Payment, PaymentError> {
        let index = self.index(id)?;
        let payment = &mut self.payments[index];
        let at = payment.refunds.iter().position(|one| one.id == refund_id).ok_or(PaymentError::NotFound)?;
        let refund = &mut payment.refunds[at];
        if !refund.task.is_held_by(token) {
            return Err(PaymentError::LeaseLost);
        }
        match result {
            RefundSyncResult::Snapshot(snapshot) => {
                refund.task.unknown_outcome = None;
                let snapshot = RefundSnapshot { refund_id: Some(refund_id), ..snapshot.clone() };
                self.apply_refund(&snapshot, |_| false, now);
            }
            RefundSyncResult::Rejected { reason } => {
                let open = refund.is_open();
                if open {
                    refund.failure_reason = Some(reason.clone());
                }
                // The provider may have refunded the money by itself.
                payment.sync_refunds = true;
                if open {
                    self.set_refund_status(index, at, RefundStatus::Failed, now);
                }
                self.payments[index].task.schedule_now(now);
            }
            RefundSyncResult::Indeterminate { outcome, attempt } => {
                if refund.task.attempt != *attempt {
                    refund.task.called_at = Some(now);
                }
                refund.task.attempt = *attempt;
                refund.task.unknown_outcome = Some(*outcome);
            }
            RefundSyncResult::NoResponse => {}
        }
        self.payments[index].refunds[at].release(now);
        Ok(self.payments[index].clone())
    }
}
