//! Invariants of the payments of an order, and the state after all tasks are done.

use contracts::RefundId;
use contracts::api::{RefundCause, RefundStatus};
use payment_service::domain::{OrderPayments, Payment, ProviderRefundStatus, State};
use payment_service::repository::ReconcileTask;

use super::payments_model::{ModelRun, TOTAL};
use super::plan::{Act, Behaviour};
use super::provider::{Status, Webhook};

/// Maximum rounds until no task is left.
const ROUNDS: usize = 90;
/// Rounds in which succeeded refunds are checked without webhooks.
const WATCHED_ROUNDS: usize = 12;

impl ModelRun<'_> {
    /// Checks the invariants that hold at every moment.
    pub(super) async fn check(&self) {
        let Some(payments) = self.find().await else { return };
        assert!(payments.payments.iter().filter(|one| is_open(one)).count() <= 1, "an order has one open payment");
        for payment in &payments.payments {
            assert!(refunded_or_pending(payment) <= captured(payment), "refunds exceed the capture: {payment:#?}");
            let at_provider = payment.captured.is_some() && !payment.external;
            if at_provider {
                let intent = self.provider.by_id(payment.intent.as_ref().unwrap());
                let intent = &self.provider.intents[intent];
                assert_eq!((intent.status, intent.amount), (Status::Paid, captured(payment)), "{payment:#?}");
            }
        }
        let mut known: Vec<_> = payments.payments.iter().filter_map(|one| one.intent.as_ref()).collect();
        known.sort();
        known.dedup();
        assert_eq!(known.len(), payments.payments.iter().filter(|one| one.intent.is_some()).count());
    }

    /// Lets all workers die, the provider respond and all customers pay until no task is left, and checks that the order
    /// has exactly the money that it wants.
    pub(super) async fn run_to_completion(&mut self) {
        for round in 0.. {
            assert!(round < ROUNDS, "tasks are left after all rounds");
            for intent in 0..self.provider.intents.len() {
                if self.provider.intents[intent].status != Status::Declined {
                    self.provider.act(intent, Act::Pay);
                }
            }
            for refund in 0..self.provider.refunds.len() {
                let changed = self.provider.end_refund(refund, !self.failing || round % 3 != 0);
                // A missing webhook only delays: the first failures are left to the checks of succeeded refunds.
                if changed && round >= WATCHED_ROUNDS {
                    let intent = self.provider.id(self.provider.refunds[refund].intent);
                    self.deliver_webhook(Webhook::Refund(intent, None)).await;
                }
            }
            self.advance(900);
            let mut due = self.due_tasks().await;
            if round >= WATCHED_ROUNDS {
                let payments = self.find().await;
                let watched = |due: &ReconcileTask| matches!(due, ReconcileTask::Refund(_, _, id) if is_watched(payments.as_ref(), *id));
                due.retain(|due| !watched(due));
                if due.is_empty() && !self.provider_changes(round + 1) {
                    break;
                }
            }
            for due in due {
                let holders = self.holders.len();
                self.acquire(due).await;
                if self.holders.len() > holders {
                    self.call(holders, Behaviour::Responds);
                    self.record_result(holders).await;
                }
                self.check().await;
            }
        }
        let Some(payments) = self.find().await else { return };
        assert_eq!(payments.payments.iter().filter(|one| is_open(one)).count(), 0);
        for (index, intent) in self.provider.intents.iter().enumerate() {
            let id = self.provider.id(index);
            let row = payments.payments.iter().find(|one| one.intent.as_ref() == Some(&id));
            let recorded = row
                .filter(|one| !one.external)
                .map_or((0, 0), |one| (captured(one), refunded_or_pending(one) - paid_manually(one)));
            let paid = if intent.status == Status::Paid { intent.amount } else { 0 };
            assert_eq!(recorded, (paid, self.provider.given_back(index)), "{intent:?} {row:#?}");
        }
        let remaining: i64 = payments.payments.iter().map(|one| captured(one) - refunded_or_pending(one)).sum();
        let due: i64 = payments.payments.iter().map(|one| one.refund_due(payments.is_cancelled()).cents()).sum();
        assert_eq!(remaining - due, self.wanted(&payments), "{payments:#?}");
        for payment in &payments.payments {
            let waiting = payment.refunds.iter().filter(|refund| refund.needs_attention);
            let waiting: i64 = waiting.map(|refund| refund.amount.cents()).sum();
            assert!(
                payment.refund_due(payments.is_cancelled()).cents() <= waiting,
                "the amount due waits for an admin: {payment:#?}"
            );
        }
    }

    /// Returns `true` if succeeded refunds fail late in this round.
    fn provider_changes(&self, round: usize) -> bool {
        let may_fail = |refund: &super::provider::Refund| refund.status == ProviderRefundStatus::Succeeded;
        self.failing && round < ROUNDS - 4 && self.provider.refunds.iter().any(may_fail)
    }

    /// Returns the amount that the order wants: nothing if it is cancelled or unpaid, else its total minus granted refunds.
    fn wanted(&self, payments: &OrderPayments) -> i64 {
        if !self.cancelled.is_empty() || payments.payments.iter().all(|one| one.captured.is_none()) {
            return 0;
        }
        let accepted: Vec<_> =
            payments.payments.iter().filter(|one| one.captured.is_some() && one.refund_cause.is_none()).collect();
        let [accepted] = accepted[..] else { panic!("one payment is accepted: {payments:#?}") };
        let granted = accepted.refunds.iter().filter(|one| one.status != RefundStatus::Failed);
        let granted: i64 =
            granted.inspect(|one| assert_eq!(one.cause, RefundCause::Granted)).map(|one| one.amount.cents()).sum();
        TOTAL - granted - accepted.refund_due(false).cents()
    }
}

const fn is_open(payment: &Payment) -> bool {
    matches!(payment.state, State::Pending | State::Processing | State::Settling)
}

fn captured(payment: &Payment) -> i64 {
    payment.captured.as_ref().map_or(0, |captured| captured.amount.cents())
}

/// Returns the total of succeeded and pending refunds.
fn refunded_or_pending(payment: &Payment) -> i64 {
    let refunds = payment.refunds.iter().filter(|refund| refund.status != RefundStatus::Failed);
    refunds.map(|refund| refund.amount.cents()).sum()
}

/// Returns the total of refunds paid manually, outside the provider.
fn paid_manually(payment: &Payment) -> i64 {
    let settled = payment.refunds.iter().filter(|refund| refund.settled && !refund.paid_twice);
    settled.map(|refund| refund.amount.cents()).sum()
}

/// Returns `true` if a refund has succeeded and is only checked for a late failure.
fn is_watched(payments: Option<&OrderPayments>, id: RefundId) -> bool {
    let refunds = payments.into_iter().flat_map(|payments| &payments.payments).flat_map(|payment| &payment.refunds);
    refunds.into_iter().any(|refund| refund.id == id && refund.status == RefundStatus::Succeeded)
}
