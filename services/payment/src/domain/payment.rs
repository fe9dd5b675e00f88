//! Payment with its refunds.

use chrono::{DateTime, Duration, Utc};
use contracts::api::{PaymentMethod, PaymentStatus, RefundCause, RefundStatus};
use contracts::{Money, OrderId, PaymentId, RefundId, UserId};

use super::lease::{LeasedTask, backoff};
use super::refund::Refund;
use super::snapshots::{Captured, ProviderRefundStatus, RefundClaim};
use super::state::State;

/// Maximum delay between two fetches that webhooks cause and that change nothing.
const MAX_IDLE_DELAY: Duration = Duration::seconds(30);

/// Payment with its refunds.
#[derive(Clone, Debug, PartialEq)]
pub struct Payment {
    /// Id, which the metadata of the provider's intent names.
    pub id: PaymentId,
    /// Paid order.
    pub order_id: OrderId,
    /// Paying customer.
    pub user_id: UserId,
    /// Requested amount.
    pub amount: Money,
    /// Requested currency (ISO 4217).
    pub currency: String,
    /// Payment method.
    pub method: PaymentMethod,
    /// State of the payment.
    pub state: State,
    /// Provider's intent, once known.
    pub intent: Option<String>,
    /// Set once the intent can capture nothing any more: it succeeded, was cancelled, or never existed.
    pub intent_closed: bool,
    /// Set if the intent is to be cancelled.
    pub cancel_requested: bool,
    /// Transaction named by a trusted caller.
    pub transaction_id: Option<String>,
    /// Set if the payment was made outside the provider.
    pub external: bool,
    /// Captured amount.
    pub captured: Option<Captured>,
    /// Cause for refunding the whole capture, `late` or `doubled`; `None` if the order wants the capture.
    pub refund_cause: Option<RefundCause>,
    /// Largest refunded total that was published. A failed refund initiated at the provider lowers it.
    pub refunds_announced: Money,
    /// Set if the provider may have unknown refunds.
    pub sync_refunds: bool,
    /// Intents named by webhooks and not fetched since: the payment's own, or others that name it.
    pub hints: Vec<String>,
    /// Number of consecutive fetches that webhooks caused and that changed nothing.
    pub idle_fetches: u32,
    /// Time of the last fetch counted in [`Self::idle_fetches`].
    pub last_idle_fetch_at: Option<DateTime<Utc>>,
    /// Trace of the last webhook (`traceparent`), continued by the fetch that it caused.
    pub trace: Option<String>,
    /// Description given by the client.
    pub description: Option<String>,
    /// Failure reason, fit for the customer.
    pub failure_reason: Option<String>,
    /// Metadata given by the client: the text of a JSON object.
    pub metadata: Option<String>,
    /// Number of published events.
    pub version: i64,
    /// Time of creation.
    pub created_at: DateTime<Utc>,
    /// Time of the last change.
    pub updated_at: DateTime<Utc>,
    /// Time of the capture.
    pub processed_at: Option<DateTime<Utc>>,
    /// Time of the last refund.
    pub refunded_at: Option<DateTime<Utc>>,
    /// Outstanding provider call.
    pub task: LeasedTask,
    /// Refunds, oldest first.
    pub refunds: Vec<Refund>,
}

/// Next step that a payment needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextAction {
    /// Fetch an intent named by a webhook.
    FetchHintedIntent,
    /// Next action: fetch the intent and its refunds.
    SyncRefunds,
    /// Make sure that the intent captures nothing.
    CancelIntent,
    /// Next action: fetch the intent.
    FetchIntent,
    /// Create the next refund that is due; needs no provider call.
    CreateRefund,
}

impl Payment {
    /// Returns the status shown to clients.
    #[must_use]
    pub fn status(&self) -> PaymentStatus {
        match self.state {
            State::Pending => PaymentStatus::Pending,
            State::Processing | State::Settling => PaymentStatus::Processing,
            State::Completed if self.is_fully_refunded() => PaymentStatus::Refunded,
            State::Completed => PaymentStatus::Completed,
            State::Failed => PaymentStatus::Failed,
            State::Cancelled => PaymentStatus::Cancelled,
        }
    }

    /// Returns the captured amount, or the requested amount before the capture.
    #[must_use]
    pub fn effective_amount(&self) -> Money {
        self.captured.as_ref().map_or(self.amount, |captured| captured.amount)
    }

    /// Returns the currency of [`Self::effective_amount`].
    #[must_use]
    pub fn effective_currency(&self) -> &str {
        self.captured.as_ref().map_or(&self.currency, |captured| &captured.currency)
    }

    /// Returns the transaction id shown to clients: the confirmed transaction of an external payment, else the intent.
    #[must_use]
    pub fn effective_transaction(&self) -> Option<&str> {
        if self.external { self.transaction_id.as_deref() } else { self.intent.as_deref() }
    }

    /// Returns the captured amount, zero before the capture.
    #[must_use]
    pub fn captured_amount(&self) -> Money {
        self.captured.as_ref().map_or(Money::ZERO, |captured| captured.amount)
    }

    /// Returns the refund with this id.
    #[must_use]
    pub fn refund(&self, id: RefundId) -> Option<&Refund> {
        self.refunds.iter().find(|refund| refund.id == id)
    }

    /// Returns the total of the succeeded refunds.
    #[must_use]
    pub fn refunded(&self) -> Money {
        let succeeded = self.refunds.iter().filter(|refund| refund.status == RefundStatus::Succeeded);
        succeeded.map(|refund| refund.amount).sum()
    }

    /// Returns the total of the succeeded and pending refunds.
    #[must_use]
    pub fn refunded_or_pending_amount(&self) -> Money {
        self.refunds.iter().filter(|refund| !refund.is_failed()).map(|refund| refund.amount).sum()
    }

    /// Returns the amount that can still be refunded.
    #[must_use]
    pub fn refundable_amount(&self) -> Money {
        self.captured_amount().saturating_sub(self.refunded_or_pending_amount())
    }

    fn is_fully_refunded(&self) -> bool {
        let captured = self.captured_amount();
        !captured.is_zero() && self.refunded() >= captured
    }

    /// Returns the amount owed to the customer and not requested yet: everything if the order does not want the payment,
    /// else what was published as refunded and failed afterwards.
    #[must_use]
    pub fn refund_due(&self, order_cancelled: bool) -> Money {
        let everything = order_cancelled || self.refund_cause.is_some();
        let target = if everything { self.captured_amount() } else { self.refunds_announced };
        target.saturating_sub(self.refunded_or_pending_amount())
    }

    /// Returns the part of [`Self::refund_due`] that is retried automatically, without an admin.
    #[must_use]
    pub fn automatic_refund_due(&self, order_cancelled: bool) -> Money {
        let waiting = self.refunds.iter().filter(|refund| refund.needs_attention).map(|refund| refund.amount).sum();
        self.refund_due(order_cancelled).saturating_sub(waiting)
    }

    /// Returns the amount owed to the customer and not in progress at the provider: it waits for the next attempt, for an
    /// admin, or for a manual refund.
    #[must_use]
    pub fn outstanding_refund(&self, order_cancelled: bool) -> Money {
        let manual = self.refunds.iter().filter(|refund| refund.awaits_manual_payment()).map(|refund| refund.amount);
        manual.chain([self.refund_due(order_cancelled)]).sum()
    }

    /// Returns the last failed refund that is retried automatically.
    #[must_use]
    pub fn last_failed_refund(&self) -> Option<&Refund> {
        let failed = self.refunds.iter().filter(|refund| refund.is_failed() && !refund.needs_attention);
        failed.max_by_key(|refund| refund.updated_at)
    }

    /// Returns `true` if a webhook's claim about refunds is known, or will be by the response to a call in progress, so that
    /// a fetch finds nothing new. A call whose response is lost is repeated by the refund's own task.
    #[must_use]
    pub fn agrees_with(&self, claim: &RefundClaim, now: DateTime<Utc>) -> bool {
        let being_sent = |refund: &Refund| refund.is_open() && refund.task.is_leased(now);
        match claim {
            RefundClaim::Refund { id, refund_id, status } => self.refunds.iter().any(|refund| {
                if refund.provider_refund_id.as_ref() == Some(id) {
                    return refund.has_provider_status(*status);
                }
                refund.provider_refund_id.is_none()
                    && Some(refund.id) == *refund_id
                    && being_sent(refund)
                    && *status != ProviderRefundStatus::Failed
            }),
            RefundClaim::Total(claimed) => {
                let counts = |refund: &&Refund| {
                    let at_provider = refund.provider_refund_id.is_some() && !refund.is_failed() && !refund.settled;
                    !refund.external && (at_provider || being_sent(refund))
                };
                self.refunds.iter().filter(counts).map(|refund| refund.amount).sum::<Money>() == *claimed
            }
        }
    }

    /// Returns the earliest time of the next refund attempt, with a backoff per attempt; `None` if no refund failed.
    #[must_use]
    pub fn next_refund_at(&self) -> Option<DateTime<Utc>> {
        self.last_failed_refund().map(|last| last.updated_at + backoff(last.attempts.saturating_sub(1)))
    }

    /// Returns the earliest time of the next fetch that a webhook causes: `None` for at once, else 2 s, 4 s … 30 s after
    /// the last fetch that changed nothing. Repeated webhooks thus do not delay the first ones of other payments.
    #[must_use]
    pub fn next_hinted_fetch_at(&self) -> Option<DateTime<Utc>> {
        let delay = Duration::seconds(1 << self.idle_fetches.min(5)).min(MAX_IDLE_DELAY);
        self.last_idle_fetch_at.map(|at| at + delay)
    }

    /// Counts a fetch that a webhook caused and that changed nothing. The count restarts after a quiet minute.
    pub(super) fn count_idle_fetch(&mut self, now: DateTime<Utc>) {
        let consecutive = self.last_idle_fetch_at.is_some_and(|last| now - last <= MAX_IDLE_DELAY * 2);
        self.idle_fetches = if consecutive { self.idle_fetches.saturating_add(1) } else { 1 };
        self.last_idle_fetch_at = Some(now);
    }

    /// Resets the count of idle fetches after a change: the next webhook is followed at once.
    pub(super) const fn reset_idle_fetches(&mut self) {
        self.idle_fetches = 0;
        self.last_idle_fetch_at = None;
    }

    /// Returns the next step. It is derived from stored data alone, so that no step is lost.
    #[must_use]
    pub fn next_action(&self, order_cancelled: bool) -> Option<NextAction> {
        let never_created = self.state == State::Pending && self.intent.is_none();
        let must_cancel = self.cancel_requested && !self.intent_closed;
        if !self.hints.is_empty() {
            Some(NextAction::FetchHintedIntent)
        } else if self.sync_refunds {
            Some(NextAction::SyncRefunds)
        } else if self.state == State::Settling || never_created || must_cancel {
            Some(NextAction::CancelIntent)
        } else if self.state.is_open() {
            Some(NextAction::FetchIntent)
        } else if !self.automatic_refund_due(order_cancelled).is_zero() {
            Some(NextAction::CreateRefund)
        } else {
            None
        }
    }
}
