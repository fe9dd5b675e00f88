//! Hearing what the provider says of an intent, and recording money.

use chrono::{DateTime, Utc};
use contracts::PaymentId;
use contracts::calls::RefundCause;

use super::{Account, NewPayment, Noted};
use crate::domain::{Captured, Fact, IntentSeen, Move, Refusal, State, Work};

/// Intents of a payment that may wait to be fetched. A payment has one, and seldom a second by a doubtful call.
const MAX_HINTS: usize = 16;

impl Account {
    /// Notes that a webhook named an intent, which is fetched next; `payment` is the payment that it claims to be of.
    ///
    /// # Errors
    /// [`Refusal::TooManyHints`] if too many wait already.
    pub fn hint_intent(
        &mut self,
        intent: &str,
        payment: Option<PaymentId>,
        trace: Option<String>,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let by_intent = |known: &Option<String>| known.as_deref() == Some(intent);
        let index = self.payments.iter().position(|known| by_intent(&known.intent));
        let index = index.or_else(|| self.payments.iter().position(|known| Some(known.id) == payment));
        let Some(index) = index else { return Ok(()) };
        let payment = &mut self.payments[index];
        let recorded = payment.state == State::Completed && !payment.external && by_intent(&payment.intent);
        if recorded {
            return Ok(());
        }
        if !payment.hints.iter().any(|known| known == intent) {
            if payment.hints.len() == MAX_HINTS {
                return Err(Refusal::TooManyHints);
            }
            payment.hints.push(intent.to_owned());
        }
        payment.trace = trace.or(payment.trace.take());
        payment.work.urge_after(payment.hint_due(), now);
        Ok(())
    }

    /// Takes in what the provider says of an intent, in whatever order it comes.
    pub fn hear_intent(&mut self, seen: &IntentSeen, now: DateTime<Utc>) {
        let by_intent = |known: &Option<String>| known.as_deref() == Some(&seen.id);
        let index = self.payments.iter().position(|payment| by_intent(&payment.intent));
        let index = index.or_else(|| self.payments.iter().position(|payment| Some(payment.id) == seen.payment));
        let Some(index) = index else { return };
        let payment = &mut self.payments[index];
        if let Fact::Succeeded(captured) = &seen.fact {
            let recorded = payment.state == State::Completed && !payment.external && by_intent(&payment.intent);
            let elsewhere = payment.intent.is_some() && !by_intent(&payment.intent);
            if !recorded && (payment.state == State::Completed || elsewhere) {
                return self.record_stray(index, seen, captured.clone(), now);
            }
        }
        match &payment.intent {
            None => payment.intent = Some(seen.id.clone()),
            // Another intent that names this payment, without money: nobody was given it.
            Some(known) if *known != seen.id => return,
            Some(_) => {}
        }
        payment.closed |= seen.fact.is_final();
        match payment.state.after(&seen.fact) {
            Move::Stay => {}
            Move::Become(state) => {
                payment.state = state;
                if let Fact::Declined { reason, kind } = &seen.fact {
                    payment.failure_reason = Some(reason.clone());
                    payment.stop = true;
                    payment.work.urge(now);
                    self.noted.push(Noted::Declined(*kind));
                }
                self.announce(index, now, false);
            }
            Move::Capture => {
                if let Fact::Succeeded(captured) = &seen.fact {
                    self.noted.extend(seen.taken_at.map(Noted::Taken));
                    self.capture(index, captured.clone(), false, now);
                }
            }
        }
    }

    /// Money came by an intent beside the one that a payment knows, or after it was paid elsewhere: it is recorded as a
    /// payment of its own.
    fn record_stray(&mut self, index: usize, seen: &IntentSeen, captured: Captured, now: DateTime<Utc>) {
        let known = &mut self.payments[index];
        if known.intent.as_deref() == Some(&seen.id) {
            known.intent = None;
            known.sync_refunds = false;
        }
        let like = NewPayment {
            user_id: known.user_id,
            amount: known.amount,
            currency: known.currency.clone(),
            method: known.method,
            description: known.description.clone(),
            metadata: None,
        };
        let mut stray = self.new_payment(like, Work::default(), now);
        stray.intent = Some(seen.id.clone());
        stray.closed = true;
        // It never was open: an order has one open payment at a time.
        stray.state = State::Processing;
        let index = self.payments.len();
        self.payments.push(stray);
        self.announce(index, now, true);
        self.noted.extend(seen.taken_at.map(Noted::Taken));
        self.capture(index, captured, false, now);
    }

    /// Notes that a webhook named a refund of an intent: all refunds of it are fetched next.
    pub fn expect_refunds(&mut self, intent: &str, trace: Option<String>, now: DateTime<Utc>) {
        let found = self.payments.iter_mut().find(|payment| payment.intent.as_deref() == Some(intent));
        if let Some(payment) = found.filter(|payment| !payment.external) {
            payment.sync_refunds = true;
            payment.trace = trace.or(payment.trace.take());
            payment.work.urge_after(payment.hint_due(), now);
        }
    }

    /// Records money that was taken. It is kept if the order still wants it, else it goes back.
    pub(super) fn capture(&mut self, index: usize, captured: Captured, external: bool, now: DateTime<Utc>) {
        let owed = self.owed();
        let payment = &self.payments[index];
        let as_asked = captured.amount == payment.amount && captured.currency == payment.currency;
        let unwanted = if self.is_cancelled() || !as_asked {
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
        payment.unwanted = unwanted;
        payment.failure_reason = None;
        payment.processed_at = Some(now);
        self.announce(index, now, false);
        if unwanted.is_some() {
            self.repay(index, now);
        } else if self.owed().is_zero() {
            for other in (0..self.payments.len()).filter(|other| *other != index) {
                self.stop(other, now);
            }
        }
    }
}
