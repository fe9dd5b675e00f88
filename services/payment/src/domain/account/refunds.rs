//! Giving money back.

use chrono::{DateTime, Utc};
use contracts::calls::{PaymentStatus, RefundCause, RefundStatus};
use contracts::event::{PaymentRefundFailed, PaymentRefunded};
use contracts::{Event, Money, PaymentId, RefundId};

use super::{Account, Noted};
use crate::domain::{Actor, LeaseToken, MAX_ATTEMPTS, Refund, RefundFact, RefundSeen, Refusal, backoff};

/// Refund that a caller asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewRefund {
    /// Amount; `None` for the rest.
    pub amount: Option<Money>,
    /// The caller's words.
    pub reason: Option<String>,
    /// Caller.
    pub actor: Option<Actor>,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granted {
    /// People moved the money: it is booked, the provider is not asked.
    Booked,
    /// It is written and its amount held; it is to be sent to the provider under the lease.
    Send(RefundId),
}

impl Account {
    /// A trusted caller gives money back.
    ///
    /// For a payment that was made outside the provider this says that people have paid it back: what is owed already is
    /// booked first.
    ///
    /// # Errors
    /// If nothing is captured or all went back, or the amount is more than the rest.
    pub fn grant_refund(
        &mut self,
        id: PaymentId,
        request: NewRefund,
        token: LeaseToken,
        now: DateTime<Utc>,
    ) -> Result<Granted, Refusal> {
        let index = self.index(id)?;
        let payment = &mut self.payments[index];
        let status = payment.status();
        if status != PaymentStatus::Completed {
            return Err(Refusal::NotRefundable { status });
        }
        if let Some(owed) = payment.refunds.iter().position(|one| one.external && one.status == RefundStatus::Pending) {
            return self.book_owed(index, owed, request, now);
        }
        let rest = payment.rest();
        let amount = request.amount.unwrap_or(rest);
        if amount.is_zero() || amount > rest {
            return Err(Refusal::RefundTooLarge { rest });
        }
        let mut refund = Refund::new(amount, RefundCause::Granted, payment.external, now);
        refund.reason = request.reason;
        refund.actor = request.actor;
        let id = refund.id;
        payment.updated_at = now;
        if !payment.external {
            refund.work.take(token, now);
            refund.work.calling(now);
            payment.refunds.push(refund);
            self.clear_attention(index);
            return Ok(Granted::Send(id));
        }
        payment.refunds.push(refund);
        let last = self.payments[index].refunds.len() - 1;
        self.turn(index, last, RefundStatus::Succeeded, now);
        Ok(Granted::Booked)
    }

    /// People paid back some or all of what was owed; what is left stays owed.
    fn book_owed(
        &mut self,
        index: usize,
        owed: usize,
        request: NewRefund,
        now: DateTime<Utc>,
    ) -> Result<Granted, Refusal> {
        let refunds = &mut self.payments[index].refunds;
        let rest = refunds[owed].amount;
        let left = rest.minus(request.amount.unwrap_or(rest)).ok_or(Refusal::RefundTooLarge { rest })?;
        refunds[owed].amount = rest.minus_or_zero(left);
        refunds[owed].actor = request.actor;
        if request.reason.is_some() {
            refunds[owed].reason = request.reason;
        }
        if !left.is_zero() {
            let cause = refunds[owed].cause;
            refunds.push(Refund::new(left, cause, true, now));
        }
        self.turn(index, owed, RefundStatus::Succeeded, now);
        Ok(Granted::Booked)
    }

    /// Writes the first refund of what is owed back and not yet on its way, if there is any.
    pub(super) fn repay(&mut self, index: usize, now: DateTime<Utc>) {
        self.repay_by(index, 1, now);
    }

    /// Writes the next attempt of what is owed back and failed.
    pub(super) fn repay_again(&mut self, index: usize, now: DateTime<Utc>) {
        let attempts = self.payments[index].last_failed().map_or(0, |last| last.attempts);
        self.repay_by(index, attempts + 1, now);
    }

    fn repay_by(&mut self, index: usize, attempts: u32, now: DateTime<Utc>) {
        let owed = self.payments[index].owed_now(self.is_cancelled());
        if owed.is_zero() {
            return;
        }
        let payment = &mut self.payments[index];
        let last_failed = payment.last_failed().map(|refund| refund.cause);
        let stands = self.order.cancelled_at.is_none();
        let cause = match payment.unwanted {
            Some(cause) => cause,
            None if stands => last_failed.unwrap_or(RefundCause::Granted),
            None => RefundCause::Cancelled,
        };
        let mut refund = Refund::new(owed, cause, payment.external, now);
        refund.reason = Some(words(cause).to_owned());
        refund.attempts = attempts;
        payment.refunds.push(refund);
        payment.updated_at = now;
    }

    /// Takes in what the provider says of a refund, in whatever order it comes. One that is not ours is recorded as the
    /// provider's own. `fresh` tells whether this was asked for after a refund was last changed.
    pub fn hear_refund(&mut self, seen: &RefundSeen, fresh: impl Fn(&Refund) -> bool, now: DateTime<Utc>) {
        let of_intent = |intent: &Option<String>| intent.as_deref() == Some(&seen.intent);
        let Some(index) = self.payments.iter().position(|payment| of_intent(&payment.intent)) else { return };
        let payment = &mut self.payments[index];
        if payment.external {
            return;
        }
        if payment.captured.is_none() {
            // It overtook the news of the money: ask for both.
            payment.sync_refunds = true;
            payment.work.urge(now);
            return;
        }
        let known = payment.refunds.iter().position(|one| one.provider_refund.as_deref() == Some(&seen.id));
        // An attempt that a person repeated since; only money that went by it after all matters.
        let former = payment.refunds.iter().any(|one| one.former.contains(&seen.id));
        if known.is_none() && former && seen.fact != RefundFact::Succeeded {
            return;
        }
        let named = || {
            let ours = |one: &Refund| Some(one.id) == seen.ours && one.provider_refund.is_none() && !one.external;
            payment.refunds.iter().position(ours).filter(|_| !former)
        };
        let at = known.or_else(named).unwrap_or_else(|| {
            let mut refund = Refund::new(seen.amount, RefundCause::Provider, false, now);
            refund.work.tries = 1;
            refund.work.due_at = Some(now + backoff(0));
            payment.refunds.push(refund);
            payment.refunds.len() - 1
        });
        let refund = &mut payment.refunds[at];
        // Asked before the provider's id is noted: a refusal that came before it was made is not final.
        let next = refund.after(seen.fact, fresh(refund));
        refund.provider_refund = Some(seen.id.clone());
        if refund.settled {
            return self.mark_paid_twice(index, at, seen.fact == RefundFact::Succeeded);
        }
        refund.failure.clone_from(&seen.failure);
        refund.amount = seen.amount;
        if let Some(status) = next {
            self.turn(index, at, status, now);
        }
    }

    /// Changes a refund's status: money that went back is announced, and so is money that did not. That is free again,
    /// and where it is owed it is sent again after a pause, or waits for a person after the last attempt.
    pub(super) fn turn(&mut self, index: usize, at: usize, status: RefundStatus, now: DateTime<Utc>) {
        let cancelled = self.is_cancelled();
        let payment = &mut self.payments[index];
        let refund = &mut payment.refunds[at];
        let before = std::mem::replace(&mut refund.status, status);
        refund.updated_at = now;
        refund.needs_attention = false;
        payment.updated_at = now;
        // More went back than was taken: some of it by hand and, as another refund, by the provider too.
        let paid_twice = status == RefundStatus::Succeeded && payment.refunded() > payment.captured_amount();
        self.mark_paid_twice(index, at, paid_twice);
        let payment = &mut self.payments[index];
        let refund = &mut payment.refunds[at];
        match status {
            RefundStatus::Pending => {
                refund.work.urge(now);
                self.clear_attention(index);
                return;
            }
            RefundStatus::Succeeded => payment.refunded_at = Some(now),
            RefundStatus::Failed => {
                if before == RefundStatus::Succeeded && refund.cause == RefundCause::Provider {
                    payment.announced = payment.announced.minus_or_zero(refund.amount);
                }
                let gone = payment.refunds.iter().filter(|one| one.status == RefundStatus::Succeeded);
                payment.refunded_at = gone.map(|one| one.updated_at).max();
                self.plan_next_attempt(index, at, cancelled, now);
            }
        }
        let refund = &mut self.payments[index].refunds[at];
        if refund.work.lease.is_none() {
            refund.release(now);
        }
        if status == RefundStatus::Succeeded {
            self.announce_refund(index, at, now);
        } else {
            self.announce_refund_failure(index, at, now);
        }
        self.clear_attention(index);
    }

    /// Records whether a refund was paid by the provider although the same money was paid by hand. It is told and counted
    /// when that becomes known.
    fn mark_paid_twice(&mut self, index: usize, at: usize, paid_twice: bool) {
        let payment = &mut self.payments[index];
        let (refunded, captured) = (payment.refunded(), payment.captured_amount());
        let refund = &mut payment.refunds[at];
        if paid_twice && !refund.paid_twice {
            tracing::error!(payment.id = %payment.id, refund.id = %refund.id, %refunded, %captured, "refund settled by hand was paid by the provider too");
            self.noted.push(Noted::PaidTwice);
        }
        refund.paid_twice = paid_twice;
    }

    fn plan_next_attempt(&mut self, index: usize, at: usize, cancelled: bool, now: DateTime<Utc>) {
        let payment = &mut self.payments[index];
        if payment.owed_now(cancelled).is_zero() {
            return;
        }
        if payment.refunds[at].attempts >= MAX_ATTEMPTS {
            let refund = &mut payment.refunds[at];
            refund.needs_attention = true;
            tracing::error!(payment.id = %payment.id, refund.id = %refund.id, refund.attempts = refund.attempts, "refund failed for the last time and needs attention");
        } else {
            let again = payment.repay_at().unwrap_or(now);
            payment.work.schedule(again);
            tracing::warn!(payment.id = %payment.id, %again, "refund that is owed failed; it is made again");
        }
    }

    /// Nothing waits for a person any more once all that is owed went back otherwise.
    pub(super) fn clear_attention(&mut self, index: usize) {
        let cancelled = self.is_cancelled();
        let payment = &mut self.payments[index];
        if payment.owed_back(cancelled).is_zero() {
            payment.refunds.iter_mut().for_each(|refund| refund.needs_attention = false);
        }
    }

    fn announce_refund(&mut self, index: usize, at: usize, now: DateTime<Utc>) {
        let payment = &mut self.payments[index];
        payment.version += 1;
        let (total, refund) = (payment.refunded(), &payment.refunds[at]);
        self.noted.push(Noted::Refunded {
            currency: payment.shown_currency().to_owned(),
            cause: refund.cause,
            amount: total.minus_or_zero(payment.announced),
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
            timestamp: now,
        };
        payment.announced = payment.announced.max(total);
        self.events.push((now, Event::PaymentRefunded(data)));
    }

    fn announce_refund_failure(&mut self, index: usize, at: usize, now: DateTime<Utc>) {
        let payment = &mut self.payments[index];
        payment.version += 1;
        let refund = &payment.refunds[at];
        if refund.attempts == 1 {
            self.noted.push(Noted::RefundFailed(refund.cause));
        }
        let data = PaymentRefundFailed {
            payment_id: payment.id,
            refund_id: refund.id,
            order_id: payment.order_id,
            user_id: payment.user_id,
            amount: refund.amount,
            refunded_total: payment.refunded(),
            version: payment.version,
            reason: refund.failure.clone(),
            needs_attention: refund.needs_attention,
            timestamp: now,
        };
        self.events.push((now, Event::PaymentRefundFailed(data)));
    }
}

const fn words(cause: RefundCause) -> &'static str {
    match cause {
        RefundCause::Granted => "Refunded",
        RefundCause::Cancelled => "Order cancelled",
        RefundCause::Late => "Payment no longer wanted",
        RefundCause::Doubled => "Order was paid already",
        RefundCause::Provider => "Refunded by the provider",
    }
}
