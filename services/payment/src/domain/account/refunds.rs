//! Giving money back.

use chrono::{DateTime, Utc};
use contracts::calls::{PaymentStatus, RefundCause, RefundStatus};
use contracts::event::PaymentRefunded;
use contracts::{Event, Money, PaymentId, RefundId};

use super::Account;
use crate::domain::{LeaseToken, Refund, RefundSeen, Refusal, backoff};

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granted {
    /// People moved the money: it is booked, the provider is not asked.
    Booked,
    /// It is written and its amount held; it is to be sent to the provider under the lease.
    Send(RefundId),
}

impl Account {
    /// A trusted caller gives money back: `amount`, or the rest.
    ///
    /// For a payment that was made outside the provider this says that people have paid it back: what is owed already is
    /// booked first.
    ///
    /// # Errors
    /// If nothing is captured or all went back, or the amount is more than the rest.
    pub fn grant_refund(
        &mut self,
        id: PaymentId,
        amount: Option<Money>,
        reason: Option<String>,
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
            return self.book_owed(index, owed, amount, reason, now);
        }
        let rest = payment.rest();
        let amount = amount.unwrap_or(rest);
        if amount.is_zero() || amount > rest {
            return Err(Refusal::RefundTooLarge { rest });
        }
        let mut refund = Refund::new(amount, RefundCause::Granted, payment.external, now);
        refund.reason = reason;
        let id = refund.id;
        payment.updated_at = now;
        if !payment.external {
            refund.work.take(token, now);
            refund.work.calling(now);
            payment.refunds.push(refund);
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
        amount: Option<Money>,
        reason: Option<String>,
        now: DateTime<Utc>,
    ) -> Result<Granted, Refusal> {
        let refunds = &mut self.payments[index].refunds;
        let rest = refunds[owed].amount;
        let left = rest.minus(amount.unwrap_or(rest)).ok_or(Refusal::RefundTooLarge { rest })?;
        refunds[owed].amount = rest.minus_or_zero(left);
        if reason.is_some() {
            refunds[owed].reason = reason;
        }
        if !left.is_zero() {
            let cause = refunds[owed].cause;
            refunds.push(Refund::new(left, cause, true, now));
        }
        self.turn(index, owed, RefundStatus::Succeeded, now);
        Ok(Granted::Booked)
    }

    /// Writes the refund of what is owed back and not yet on its way, if there is any.
    pub(super) fn repay(&mut self, index: usize, now: DateTime<Utc>) {
        let owed = self.payments[index].owed_back(self.is_cancelled());
        if owed.is_zero() {
            return;
        }
        let payment = &mut self.payments[index];
        let last_failed = payment.refunds.iter().rfind(|refund| !refund.holds()).map(|refund| refund.cause);
        let stands = self.order.cancelled_at.is_none();
        let cause = match payment.unwanted {
            Some(cause) => cause,
            None if stands => last_failed.unwrap_or(RefundCause::Granted),
            None => RefundCause::Cancelled,
        };
        let mut refund = Refund::new(owed, cause, payment.external, now);
        refund.reason = Some(words(cause).to_owned());
        payment.refunds.push(refund);
        payment.updated_at = now;
    }

    /// Takes in what the provider says of a refund, from whatever source and in whatever order it comes. One that is
    /// not ours is recorded as the provider's own.
    pub fn hear_refund(&mut self, seen: &RefundSeen, now: DateTime<Utc>) {
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
        let named = || {
            let ours = |one: &Refund| Some(one.id) == seen.ours && one.provider_refund.is_none() && !one.external;
            payment.refunds.iter().position(ours)
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
        let next = refund.after(seen.fact);
        refund.provider_refund = Some(seen.id.clone());
        refund.failure.clone_from(&seen.failure);
        refund.amount = seen.amount;
        if let Some(status) = next {
            self.turn(index, at, status, now);
        }
    }

    /// Changes a refund's status: money that went back is announced, money that did not is free again, and is sent
    /// again after a pause where it is owed.
    pub(super) fn turn(&mut self, index: usize, at: usize, status: RefundStatus, now: DateTime<Utc>) {
        let cancelled = self.is_cancelled();
        let payment = &mut self.payments[index];
        let refund = &mut payment.refunds[at];
        refund.status = status;
        refund.updated_at = now;
        payment.updated_at = now;
        match status {
            RefundStatus::Pending => {
                refund.work.urge(now);
                return;
            }
            RefundStatus::Succeeded => payment.refunded_at = Some(now),
            RefundStatus::Failed => {
                let gone = payment.refunds.iter().filter(|one| one.status == RefundStatus::Succeeded);
                payment.refunded_at = gone.map(|one| one.updated_at).max();
                if !payment.owed_back(cancelled).is_zero() {
                    let again = payment.repay_at().unwrap_or(now);
                    payment.work.schedule(again);
                    tracing::warn!(payment.id = %payment.id, %again, "a refund that is owed was refused, it is made again");
                }
            }
        }
        let refund = &mut payment.refunds[at];
        if refund.work.lease.is_none() {
            refund.work.release(false, now);
        }
        if status == RefundStatus::Succeeded {
            self.announce_refund(index, at, now);
        }
    }

    fn announce_refund(&mut self, index: usize, at: usize, now: DateTime<Utc>) {
        let payment = &mut self.payments[index];
        payment.announced = payment.announced.max(payment.refunded());
        let refund = &payment.refunds[at];
        let data = PaymentRefunded {
            payment_id: payment.id,
            refund_id: refund.id,
            order_id: payment.order_id,
            user_id: payment.user_id,
            amount: payment.captured_amount(),
            refund_amount: refund.amount,
            refunded_total: payment.announced,
            version: payment.version,
            cause: refund.cause,
            reason: refund.reason.clone(),
            timestamp: now,
        };
        self.events.push((now, Event::PaymentRefunded(data)));
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
