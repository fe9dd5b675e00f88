//! A small provider: what it did is the truth about the money.

use contracts::{Money, PaymentId, RefundId};
use payment_service::domain::{Captured, Decline, Fact, IntentSeen, RefundFact, RefundSeen};

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
    /// The idempotency key's number.
    attempt: u32,
    pub(crate) amount: i64,
    pub(crate) status: Status,
}

#[derive(Clone, Debug)]
pub(crate) struct Refund {
    pub(crate) ours: RefundId,
    attempt: u32,
    pub(crate) intent: usize,
    pub(crate) amount: i64,
    pub(crate) fact: RefundFact,
}

/// What it names in a webhook.
#[derive(Clone, Debug)]
pub(crate) enum Notice {
    Intent(String, PaymentId),
    /// A refund of this intent changed.
    Refund(String),
}

#[derive(Debug, Default)]
pub(crate) struct Provider {
    pub(crate) intents: Vec<Intent>,
    pub(crate) refunds: Vec<Refund>,
    /// Every webhook that it ever sent.
    pub(crate) sent: Vec<Notice>,
}

impl Provider {
    /// Makes an intent, once under a key.
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

    /// It is cancelled unless its money was taken or is just being taken.
    pub(crate) fn cancel(&mut self, intent: usize) {
        if matches!(self.intents[intent].status, Status::Waiting | Status::Declined) {
            self.turn(intent, Status::Canceled);
        }
    }

    pub(crate) fn act(&mut self, intent: usize, act: Act) {
        let status = match (self.intents[intent].status, act) {
            (Status::Waiting | Status::Declined | Status::Processing, Act::Pay) => Status::Paid,
            (Status::Waiting | Status::Declined | Status::Processing, Act::Decline) => Status::Declined,
            (Status::Waiting | Status::Declined, Act::Process) => Status::Processing,
            _ => return,
        };
        self.turn(intent, status);
    }

    fn turn(&mut self, intent: usize, status: Status) {
        self.intents[intent].status = status;
        self.sent.push(Notice::Intent(self.id(intent), self.intents[intent].payment));
    }

    pub(crate) fn seen(&self, intent: usize) -> IntentSeen {
        let Intent { payment, amount, status, .. } = &self.intents[intent];
        let fact = match status {
            Status::Waiting => Fact::Waiting,
            Status::Declined => Fact::Declined { reason: "no".to_owned(), kind: Decline::Other },
            Status::Processing => Fact::Processing,
            Status::Paid => {
                Fact::Succeeded(Captured { amount: Money::from_cents(*amount), currency: "USD".to_owned() })
            }
            Status::Canceled => Fact::Canceled,
        };
        IntentSeen { id: self.id(intent), payment: Some(*payment), fact, taken_at: None }
    }

    /// Gives money back, once under a key; `None` if there is not so much.
    pub(crate) fn refund(&mut self, ours: RefundId, attempt: u32, intent: usize, amount: i64) -> Option<usize> {
        let known = self.refunds.iter().position(|one| one.ours == ours && one.attempt == attempt);
        if known.is_some() {
            return known;
        }
        let paid = if self.intents[intent].status == Status::Paid { self.intents[intent].amount } else { 0 };
        if self.given_back(intent) + amount > paid {
            return None;
        }
        self.refunds.push(Refund { ours, attempt, intent, amount, fact: RefundFact::Pending });
        Some(self.refunds.len() - 1)
    }

    /// The refund of this id of ours, but for those of former attempts.
    pub(crate) fn refund_of(&self, ours: RefundId, former: &[String]) -> Option<usize> {
        (0..self.refunds.len()).find(|at| self.refunds[*at].ours == ours && !former.contains(&self.refund_id(*at)))
    }

    fn refund_id(&self, refund: usize) -> String {
        let Refund { ours, attempt, .. } = &self.refunds[refund];
        format!("re_{ours}_{attempt}")
    }

    /// A refund that is under way ends, or one that succeeded fails late. Tells whether it changed.
    pub(crate) fn end_refund(&mut self, refund: usize, done: bool) -> bool {
        let row = &mut self.refunds[refund];
        let changes = row.fact == RefundFact::Pending || (row.fact == RefundFact::Succeeded && !done);
        if changes {
            row.fact = if done { RefundFact::Succeeded } else { RefundFact::Failed };
            let intent = self.id(self.refunds[refund].intent);
            self.sent.push(Notice::Refund(intent));
        }
        changes
    }

    pub(crate) fn seen_refund(&self, refund: usize) -> RefundSeen {
        let Refund { ours, intent, amount, fact, .. } = &self.refunds[refund];
        RefundSeen {
            id: self.refund_id(refund),
            intent: self.id(*intent),
            ours: Some(*ours),
            amount: Money::from_cents(*amount),
            fact: *fact,
            failure: (*fact == RefundFact::Failed).then(|| "no".to_owned()),
        }
    }

    pub(crate) fn refunds_of(&self, intent: usize) -> Vec<RefundSeen> {
        let refunds = (0..self.refunds.len()).filter(|refund| self.refunds[*refund].intent == intent);
        refunds.map(|refund| self.seen_refund(refund)).collect()
    }

    /// What of an intent went back or is on its way.
    pub(crate) fn given_back(&self, intent: usize) -> i64 {
        let refunds = self.refunds.iter().filter(|one| one.intent == intent && one.fact != RefundFact::Failed);
        refunds.map(|one| one.amount).sum()
    }
}
