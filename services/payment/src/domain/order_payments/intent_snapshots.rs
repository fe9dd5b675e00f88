//! Application of intent snapshots, and recording of captures.

use chrono::{DateTime, Utc};
use contracts::api::RefundCause;
use contracts::{Actor, PaymentId};

use super::{DomainMetric, NewPayment, OrderPayments};
use crate::domain::{
    Captured, IntentSnapshot, IntentStatus, LeasedTask, Payment, PaymentError, RefundClaim, State, Transition,
};

/// Maximum number of hinted intents per payment. A payment has one intent, rarely a second one after an unknown outcome.
const MAX_HINTS: usize = 16;

impl OrderPayments {
    /// Records that a webhook named an intent, which is fetched next. `payment` is the payment named in its metadata.
    ///
    /// # Errors
    /// [`PaymentError::TooManyHints`] if too many hints are pending.
    pub fn add_intent_hint(
        &mut self,
        intent: &str,
        payment: Option<PaymentId>,
        trace: Option<String>,
        now: DateTime<Utc>,
    ) -> Result<(), PaymentError> {
        let Some(index) = self.index_by_intent(intent, payment) else { return Ok(()) };
        let payment = &mut self.payments[index];
        let own = payment.intent.as_deref() == Some(intent);
        if own && payment.state == State::Completed && !payment.external {
            return Ok(());
        }
        if !payment.hints.iter().any(|hint| hint == intent) {
            if payment.hints.len() == MAX_HINTS {
                return Err(PaymentError::TooManyHints);
            }
            payment.hints.push(intent.to_owned());
        }
        payment.trace = trace.or(payment.trace.take());
        payment.task.schedule_not_before(payment.next_hinted_fetch_at(), now);
        Ok(())
    }

    /// Records that a webhook named a refund of an intent: all refunds of the intent are fetched next, unless what the
    /// webhook claims is known.
    pub fn request_refund_sync(
        &mut self,
        intent: &str,
        claim: Option<&RefundClaim>,
        trace: Option<String>,
        now: DateTime<Utc>,
    ) {
        let found = self.payments.iter_mut().find(|payment| payment.intent.as_deref() == Some(intent));
        let is_new = |payment: &&mut Payment| !claim.is_some_and(|claim| payment.agrees_with(claim, now));
        if let Some(payment) = found.filter(|payment| !payment.external).filter(is_new) {
            payment.sync_refunds = true;
            payment.trace = trace.or(payment.trace.take());
            payment.task.schedule_not_before(payment.next_hinted_fetch_at(), now);
        }
    }

    /// Applies a snapshot of an intent. Snapshots may arrive in any order.
    pub fn apply_intent(&mut self, snapshot: &IntentSnapshot, now: DateTime<Utc>) {
        let Some(index) = self.index_by_intent(&snapshot.id, snapshot.payment) else { return };
        let payment = &mut self.payments[index];
        let own = payment.intent.as_deref() == Some(&snapshot.id);
        if let IntentStatus::Succeeded(captured) = &snapshot.status {
            let recorded = own && payment.state == State::Completed && !payment.external;
            let other_intent = payment.intent.is_some() && !own;
            if !recorded && (payment.state == State::Completed || other_intent) {
                return self.record_orphan_capture(index, snapshot, captured.clone(), now);
            }
        }
        match &payment.intent {
            None => payment.intent = Some(snapshot.id.clone()),
            // Another intent that names this payment and captured nothing; no customer received it.
            Some(_) if !own => return,
            Some(_) => {}
        }
        payment.intent_closed |= snapshot.status.is_final();
        match payment.state.on_intent_status(&snapshot.status) {
            Transition::None => {}
            Transition::To(state) => {
                payment.state = state;
                if let IntentStatus::Declined { reason, kind } = &snapshot.status {
                    payment.failure_reason = Some(reason.clone());
                    payment.cancel_requested = true;
                    payment.task.schedule_now(now);
                    self.metrics.push(DomainMetric::Declined(*kind));
                }
                self.emit_changed(index, now);
            }
            Transition::Capture => {
                if let IntentStatus::Succeeded(captured) = &snapshot.status {
                    self.metrics.extend(snapshot.captured_at.map(DomainMetric::Captured));
                    self.capture(index, captured.clone(), false, now);
                }
            }
        }
    }

    /// Returns the index of the payment with this intent, else of the payment that the intent's metadata names.
    fn index_by_intent(&self, intent: &str, payment: Option<PaymentId>) -> Option<usize> {
        let by_intent = self.payments.iter().position(|known| known.intent.as_deref() == Some(intent));
        by_intent.or_else(|| self.payments.iter().position(|known| Some(known.id) == payment))
    }

    /// Records a capture as a payment of its own: it came by another intent than the payment's, or after the payment was
    /// made elsewhere.
    fn record_orphan_capture(
        &mut self,
        index: usize,
        snapshot: &IntentSnapshot,
        captured: Captured,
        now: DateTime<Utc>,
    ) {
        let known = &mut self.payments[index];
        if known.intent.as_deref() == Some(&snapshot.id) {
            known.intent = None;
            known.sync_refunds = false;
        }
        let template = NewPayment {
            user_id: known.user_id,
            amount: known.amount,
            currency: known.currency.clone(),
            method: known.method,
            description: known.description.clone(),
            metadata: None,
            actor: Actor::System,
        };
        let mut orphan = self.new_payment(template, LeasedTask::default(), now);
        orphan.intent = Some(snapshot.id.clone());
        orphan.intent_closed = true;
        // Never stored as open: an order has at most one open payment.
        orphan.state = State::Processing;
        let index = self.payments.len();
        self.payments.push(orphan);
        self.emit_created(index, now, Actor::System);
        self.metrics.extend(snapshot.captured_at.map(DomainMetric::Captured));
        self.capture(index, captured, false, now);
    }

    /// Records a capture. It is accepted if the order still wants it, else refunded.
    pub(super) fn capture(&mut self, index: usize, captured: Captured, external: bool, now: DateTime<Utc>) {
        let owed = self.owed();
        let payment = &self.payments[index];
        let as_requested = captured.amount == payment.amount && captured.currency == payment.currency;
        let refund_cause = if self.is_cancelled() || !as_requested {
            Some(RefundCause::Late)
        } else if owed < captured.amount {
            Some(RefundCause::Doubled)
        } else {
            None
        };
        let payment = &mut self.payments[index];
        payment.state = State::Completed;
        payment.captured = Some(captured);
        payment.external = external;
        payment.refund_cause = refund_cause;
        payment.failure_reason = None;
        payment.processed_at = Some(now);
        self.emit_changed(index, now);
        if refund_cause.is_some() {
            self.create_due_refund(index, now);
        } else if self.owed().is_zero() {
            for other in (0..self.payments.len()).filter(|other| *other != index) {
                self.request_cancellation(other, now);
            }
        }
    }
}
