//! One payment.

use chrono::{DateTime, Duration, Utc};
use contracts::calls::{PaymentMethod, PaymentStatus, RefundCause, RefundStatus};
use contracts::{Money, OrderId, PaymentId, UserId};

use super::facts::Captured;
use super::refund::Refund;
use super::state::State;
use super::work::{Work, backoff};

/// The longest time between two looks that webhooks cause and that change nothing.
const LONGEST_IDLE_PAUSE: Duration = Duration::seconds(30);

/// A payment with its refunds.
#[derive(Clone, Debug, PartialEq)]
pub struct Payment {
    /// Its id; the provider's intent names it in its metadata.
    pub id: PaymentId,
    /// What is paid.
    pub order_id: OrderId,
    /// Who pays.
    pub user_id: UserId,
    /// What was asked for.
    pub amount: Money,
    /// In which currency (ISO 4217).
    pub currency: String,
    /// How it is paid.
    pub method: PaymentMethod,
    /// Where it is.
    pub state: State,
    /// The provider's intent, once it is known.
    pub intent: Option<String>,
    /// Whether no money can come by the intent any more, since it succeeded, was cancelled, or never was.
    pub closed: bool,
    /// Whether the intent is to be cancelled.
    pub stop: bool,
    /// The transaction that a trusted caller named.
    pub transaction_id: Option<String>,
    /// Whether it was paid outside the provider.
    pub external: bool,
    /// What was taken.
    pub captured: Option<Captured>,
    /// Why what was taken is not wanted and goes back: `late` or `doubled`.
    pub unwanted: Option<RefundCause>,
    /// The largest sum of refunds that was announced as paid: what a payment that is wanted gives back. A refund of the
    /// provider's own that fails lowers it.
    pub announced: Money,
    /// Whether the provider has refunds that we may not know.
    pub sync_refunds: bool,
    /// Intents that webhooks named and that have not been fetched since: its own, or others that name it.
    pub hints: Vec<String>,
    /// Number of looks in a row that webhooks caused and that changed nothing.
    pub idle_looks: u32,
    /// Time of the last of [`Self::idle_looks`].
    pub idle_look_at: Option<DateTime<Utc>>,
    /// Trace of the last webhook, which the work that it caused continues (`traceparent`).
    pub trace: Option<String>,
    /// The client's words.
    pub description: Option<String>,
    /// Why it failed, fit for the customer.
    pub failure_reason: Option<String>,
    /// The client's own data: the text of a JSON object.
    pub metadata: Option<String>,
    /// Counts its events.
    pub version: i64,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When the money was taken.
    pub processed_at: Option<DateTime<Utc>>,
    /// When money last went back.
    pub refunded_at: Option<DateTime<Utc>>,
    /// What is to be done at the provider.
    pub work: Work,
    /// Its refunds, oldest first.
    pub refunds: Vec<Refund>,
}

/// What is to be done about a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Fetch an intent that a webhook named.
    Look,
    /// Ask for the intent and its refunds.
    Sync,
    /// See to it that no money can come by the intent.
    Close,
    /// Ask for the intent.
    Check,
    /// Write the next refund of what is owed back; the provider is not asked for that.
    Repay,
}

impl Payment {
    /// What clients see.
    #[must_use]
    pub fn status(&self) -> PaymentStatus {
        match self.state {
            State::Pending => PaymentStatus::Pending,
            State::Processing | State::Settling => PaymentStatus::Processing,
            State::Completed if self.is_given_back() => PaymentStatus::Refunded,
            State::Completed => PaymentStatus::Completed,
            State::Failed => PaymentStatus::Failed,
            State::Cancelled => PaymentStatus::Cancelled,
        }
    }

    /// What was taken, or what is asked for as long as nothing was.
    #[must_use]
    pub fn shown_amount(&self) -> Money {
        self.captured.as_ref().map_or(self.amount, |captured| captured.amount)
    }

    /// The currency of [`Self::shown_amount`].
    #[must_use]
    pub fn shown_currency(&self) -> &str {
        self.captured.as_ref().map_or(&self.currency, |captured| &captured.currency)
    }

    /// The transaction: the provider's intent, until it is confirmed otherwise.
    #[must_use]
    pub fn shown_transaction(&self) -> Option<&str> {
        if self.external { self.transaction_id.as_deref() } else { self.intent.as_deref() }
    }

    /// What was taken; nothing as long as nothing was.
    #[must_use]
    pub fn captured_amount(&self) -> Money {
        self.captured.as_ref().map_or(Money::ZERO, |captured| captured.amount)
    }

    /// What went back.
    #[must_use]
    pub fn refunded(&self) -> Money {
        let gone = self.refunds.iter().filter(|refund| refund.status == RefundStatus::Succeeded);
        gone.map(|refund| refund.amount).sum()
    }

    /// What went back or is on its way.
    #[must_use]
    pub fn held(&self) -> Money {
        self.refunds.iter().filter(|refund| refund.holds()).map(|refund| refund.amount).sum()
    }

    /// What can still be given back.
    #[must_use]
    pub fn rest(&self) -> Money {
        self.captured_amount().minus_or_zero(self.held())
    }

    fn is_given_back(&self) -> bool {
        let captured = self.captured_amount();
        !captured.is_zero() && self.refunded() >= captured
    }

    /// What we owe back and have not yet asked for: all of it if the order does not want it, else what was announced as
    /// refunded and failed after all.
    #[must_use]
    pub fn owed_back(&self, order_cancelled: bool) -> Money {
        let all = order_cancelled || self.unwanted.is_some();
        let wanted_back = if all { self.captured_amount() } else { self.announced };
        wanted_back.minus_or_zero(self.held())
    }

    /// What of [`Self::owed_back`] is made again by itself, without a person.
    #[must_use]
    pub fn owed_now(&self, order_cancelled: bool) -> Money {
        let waiting = self.refunds.iter().filter(|refund| refund.needs_attention).map(|refund| refund.amount).sum();
        self.owed_back(order_cancelled).minus_or_zero(waiting)
    }

    /// What is owed and not under way at the provider: it waits for the next attempt, or for a person.
    #[must_use]
    pub fn awaiting(&self, order_cancelled: bool) -> Money {
        let by_people = |refund: &&Refund| refund.external && refund.status == RefundStatus::Pending;
        let by_people: Money = self.refunds.iter().filter(by_people).map(|refund| refund.amount).sum();
        [by_people, self.owed_back(order_cancelled)].into_iter().sum()
    }

    /// The last attempt that failed and is made again by itself.
    #[must_use]
    pub fn last_failed(&self) -> Option<&Refund> {
        let failed = self.refunds.iter().filter(|refund| !refund.holds() && !refund.needs_attention);
        failed.max_by_key(|refund| refund.updated_at)
    }

    /// When the next refund may be made after one that failed: later with each attempt. `None` if none failed.
    #[must_use]
    pub fn repay_at(&self) -> Option<DateTime<Utc>> {
        self.last_failed().map(|last| last.updated_at + backoff(last.attempts.saturating_sub(1)))
    }

    /// When a webhook may next have the provider asked: `None` for at once, else 2 s, 4 s … 30 s after the last look that
    /// changed nothing, so that repeated webhooks do not hold up the first ones of other payments.
    #[must_use]
    pub fn hint_due(&self) -> Option<DateTime<Utc>> {
        let pause = Duration::seconds(1 << self.idle_looks.min(5)).min(LONGEST_IDLE_PAUSE);
        self.idle_look_at.map(|at| at + pause)
    }

    /// Counts a look that a webhook caused and that changed nothing. After a while without any the count starts anew.
    pub(super) fn count_idle_look(&mut self, now: DateTime<Utc>) {
        let in_a_row = self.idle_look_at.is_some_and(|last| now - last <= LONGEST_IDLE_PAUSE * 2);
        self.idle_looks = if in_a_row { self.idle_looks.saturating_add(1) } else { 1 };
        self.idle_look_at = Some(now);
    }

    /// Notes that a look changed something: the next webhook has the provider asked at once.
    pub(super) const fn forget_idle_looks(&mut self) {
        self.idle_looks = 0;
        self.idle_look_at = None;
    }

    /// What is to be done about it; it follows from what is stored, so that nothing is forgotten.
    #[must_use]
    pub fn need(&self, order_cancelled: bool) -> Option<Need> {
        let never_made = self.state == State::Pending && self.intent.is_none();
        if !self.hints.is_empty() {
            Some(Need::Look)
        } else if self.sync_refunds {
            Some(Need::Sync)
        } else if self.state == State::Settling || never_made || (self.stop && !self.closed) {
            Some(Need::Close)
        } else if self.state.is_open() {
            Some(Need::Check)
        } else if !self.owed_now(order_cancelled).is_zero() {
            Some(Need::Repay)
        } else {
            None
        }
    }
}
