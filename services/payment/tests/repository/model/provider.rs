//! Model of the provider, whose state is the truth about the money.

use contracts::{Money, PaymentId, RefundId};
use payment_service::domain::{
    Captured, Decline, IntentSnapshot, IntentStatus, ProviderRefundStatus, RefundClaim, RefundSnapshot,
};

use super::plan::Act;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Waiting,
    Declined,
    Processing,
    Paid,
    Canceled,
}

#[derive(Clone, Debug)]
pub(crate) struct Intent {
    pub(crate) payment: PaymentId,
    /// Number in the idempotency key.
    attempt: u32,
    pub(crate) amount: i64,
    pub(crate) status: Status,
}

#[derive(Clone, Debug)]
pub(crate) struct Refund {
    pub(crate) refund_id: RefundId,
    attempt: u32,
    pub(crate) intent: usize,
    pub(crate) amount: i64,
    pub(crate) status: ProviderRefundStatus,
}

/// Webhook with the id that it names.
#[derive(Clone, Debug)]
pub(crate) enum Webhook {
    Intent(String, PaymentId),
    /// Change of a refund of this intent, with the claimed state.
    Refund(String, Option<RefundClaim>),
}

#[derive(Debug, Default)]
pub(crate) struct Provider {
    pub(crate) intents: Vec<Intent>,
    pub(crate) refunds: Vec<Refund>,
    /// All webhooks ever sent.
    pub(crate) sent: Vec<Webhook>,
}

impl Provider {
    /// Creates an intent, once per key.
    pub(crate) fn create(&mut self, payment: PaymentId, attempt: u32, amount: i64) -> usize {
        let known = self.intents.iter().position(|one| one.payment == payment && one.attempt == attempt);
        known.unwrap_or_else(|| {
            self.intents.push(Intent { payment, attempt, amount, status: Status::Waiting });
            self.intents.len() - 1
        })
    }

    pub(crate) fn intent_of(&self, payment: PaymentId) -> Option<usize> {
        self.intents.iter().position(|one| one.payment == payment)
    }

    pub(crate) fn by_id(&self, id: &str) -> usize {
        (0..self.intents.len()).find(|index| self.id(*index) == id).unwrap()
    }

    pub(crate) fn id(&self, intent: usize) -> String {
        format!("pi_{}_{}", self.intents[intent].payment, self.intents[intent].attempt)
    }

    /// Cancels an intent unless it is captured or processing.
    pub(crate) fn cancel(&mut self, intent: usize) {
        if matches!(self.intents[intent].status, Status::Waiting | Status::Declined) {
            self.set_status(intent, Status::Canceled);
        }
    }

    pub(crate) fn act(&mut self, intent: usize, act: Act) {
        let status = match (self.intents[intent].status, act) {
            (Status::Waiting | Status::Declined | Status::Processing, Act::Pay) => Status::Paid,
            (Status::Waiting | Status::Declined | Status::Processing, Act::Decline) => Status::Declined,
            (Status::Waiting | Status::Declined, Act::Process) => Status::Processing,
            _ => return,
        };
        self.set_status(intent, status);
    }

    fn set_status(&mut self, intent: usize, status: Status) {
        self.intents[intent].status = status;
        self.sent.push(Webhook::Intent(self.id(intent), self.intents[intent].payment));
    }

    pub(crate) fn snapshot(&self, intent: usize) -> IntentSnapshot {
        let Intent { payment, amount, status, .. } = &self.intents[intent];
        let status = match status {
            Status::Waiting => IntentStatus::AwaitingCustomer,
            Status::Declined => IntentStatus::Declined { reason: "no".to_owned(), kind: Decline::Other },
            Status::Processing => IntentStatus::Processing,
            Status::Paid => {
                IntentStatus::Succeeded(Captured { amount: Money::from_cents(*amount), currency: "USD".to_owned() })
            }
            Status::Canceled => IntentStatus::Canceled,
        };
        IntentSnapshot { id: self.id(intent), payment: Some(*payment), status, captured_at: None }
    }

    /// Creates a refund, once per key; `None` if the amount exceeds the rest.
    pub(crate) fn refund(&mut self, refund_id: RefundId, attempt: u32, intent: usize, amount: i64) -> Option<usize> {
        let known = self.refunds.iter().position(|one| one.refund_id == refund_id && one.attempt == attempt);
        if known.is_some() {
            return known;
        }
        let paid = if self.intents[intent].status == Status::Paid { self.intents[intent].amount } else { 0 };
        if self.given_back(intent) + amount > paid {
            return None;
        }
        self.refunds.push(Refund { refund_id, attempt, intent, amount, status: ProviderRefundStatus::Pending });
        Some(self.refunds.len() - 1)
    }

    /// Returns the refund with this metadata id, except for previous attempts.
    pub(crate) fn refund_of(&self, refund_id: RefundId, previous: &[String]) -> Option<usize> {
        (0..self.refunds.len())
            .find(|at| self.refunds[*at].refund_id == refund_id && !previous.contains(&self.provider_id(*at)))
    }

    fn provider_id(&self, refund: usize) -> String {
        let Refund { refund_id, attempt, .. } = &self.refunds[refund];
        format!("re_{refund_id}_{attempt}")
    }

    /// Ends a pending refund, or lets a succeeded one fail late. Returns `true` on a change.
    pub(crate) fn end_refund(&mut self, refund: usize, done: bool) -> bool {
        let row = &mut self.refunds[refund];
        let changes =
            row.status == ProviderRefundStatus::Pending || (row.status == ProviderRefundStatus::Succeeded && !done);
        if changes {
            row.status = if done { ProviderRefundStatus::Succeeded } else { ProviderRefundStatus::Failed };
            let RefundSnapshot { id, intent, refund_id, status, .. } = self.refund_snapshot(refund);
            self.sent.push(Webhook::Refund(intent, Some(RefundClaim::Refund { id, refund_id, status })));
        }
        changes
    }

    pub(crate) fn refund_snapshot(&self, refund: usize) -> RefundSnapshot {
        let Refund { refund_id, intent, amount, status, .. } = &self.refunds[refund];
        RefundSnapshot {
            id: self.provider_id(refund),
            intent: self.id(*intent),
            refund_id: Some(*refund_id),
            amount: Money::from_cents(*amount),
            status: *status,
            failure_reason: (*status == ProviderRefundStatus::Failed).then(|| "no".to_owned()),
        }
    }

    pub(crate) fn refunds_of(&self, intent: usize) -> Vec<RefundSnapshot> {
        let refunds = (0..self.refunds.len()).filter(|refund| self.refunds[*refund].intent == intent);
        refunds.map(|refund| self.refund_snapshot(refund)).collect()
    }

    /// Returns the total of succeeded and pending refunds of an intent.
    pub(crate) fn given_back(&self, intent: usize) -> i64 {
        let refunds =
            self.refunds.iter().filter(|one| one.intent == intent && one.status != ProviderRefundStatus::Failed);
        refunds.map(|one| one.amount).sum()
    }
}
