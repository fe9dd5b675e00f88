//! Provider calls of lease holders, with every kind of outcome.

use contracts::RefundId;
use payment_service::domain::{NextAction, Payment, RefundSyncResult, SyncResult, UnknownOutcome};

use super::payments_model::{CallResult, Holder, ModelRun, Task};
use super::plan::Behaviour;
use super::provider::Provider;

impl ModelRun<'_> {
    /// Calls the provider on behalf of a lease holder, once and before the lease expires.
    pub(super) fn call(&mut self, index: usize, behaviour: Behaviour) {
        let Holder { until, task, payment, result: None, .. } = self.holders[index].clone() else { return };
        if until <= self.now {
            return;
        }
        let result = match task {
            Task::CreateIntent => CallResult::Payment(self.create_intent(&payment, behaviour)),
            Task::Perform(NextAction::CancelIntent) => CallResult::Payment(self.cancel_intent(&payment, behaviour)),
            Task::Perform(
                NextAction::FetchHintedIntent
                | NextAction::FetchIntent
                | NextAction::SyncRefunds
                | NextAction::CreateRefund,
            ) => CallResult::Payment(self.fetch(&payment, behaviour)),
            Task::SendRefund(refund) => CallResult::Refund(self.send_refund(&payment, refund, behaviour)),
        };
        self.holders[index].result = Some(result);
    }

    fn create_intent(&mut self, payment: &Payment, behaviour: Behaviour) -> SyncResult {
        let known = self.provider.intent_of(payment.id).is_some();
        if behaviour == Behaviour::Rejects && !known {
            return SyncResult::Rejected { reason: "no".to_owned() };
        }
        let create =
            |provider: &mut Provider| provider.create(payment.id, payment.task.attempt, payment.amount.cents());
        match behaviour {
            Behaviour::Responds | Behaviour::Rejects => {
                let intent = create(&mut self.provider);
                SyncResult::Snapshot(self.provider.snapshot(intent))
            }
            Behaviour::TimesOut(done) | Behaviour::Fails(done) => {
                if done {
                    create(&mut self.provider);
                }
                SyncResult::Indeterminate(if behaviour == Behaviour::TimesOut(done) {
                    UnknownOutcome::NoResponse
                } else {
                    UnknownOutcome::ServerError
                })
            }
        }
    }

    fn cancel_intent(&mut self, payment: &Payment, behaviour: Behaviour) -> SyncResult {
        if matches!(behaviour, Behaviour::TimesOut(false) | Behaviour::Fails(false)) {
            return SyncResult::NoResponse;
        }
        let intent = match &payment.intent {
            Some(id) => self.provider.by_id(id),
            None if payment.task.requires_lookup(self.time()) => match self.provider.intent_of(payment.id) {
                Some(intent) => intent,
                None => return SyncResult::NotFound,
            },
            None => self.provider.create(payment.id, payment.task.attempt, payment.amount.cents()),
        };
        self.provider.cancel(intent);
        if matches!(behaviour, Behaviour::TimesOut(_) | Behaviour::Fails(_)) {
            return SyncResult::NoResponse;
        }
        SyncResult::Snapshot(self.provider.snapshot(intent))
    }

    fn fetch(&self, payment: &Payment, behaviour: Behaviour) -> SyncResult {
        if let Some(hint) = payment.hints.first().filter(|_| behaviour == Behaviour::Responds) {
            return SyncResult::HintedIntent(hint.clone(), Some(self.provider.snapshot(self.provider.by_id(hint))));
        }
        let Some(intent) = payment.intent.as_ref().filter(|_| behaviour == Behaviour::Responds) else {
            return SyncResult::NoResponse;
        };
        let intent = self.provider.by_id(intent);
        let snapshot = self.provider.snapshot(intent);
        if payment.sync_refunds {
            SyncResult::SnapshotWithRefunds(snapshot, self.provider.refunds_of(intent))
        } else {
            SyncResult::Snapshot(snapshot)
        }
    }

    fn send_refund(&mut self, payment: &Payment, refund_id: RefundId, behaviour: Behaviour) -> RefundSyncResult {
        let refund = payment.refunds.iter().find(|one| one.id == refund_id).unwrap();
        let intent = self.provider.by_id(payment.intent.as_ref().unwrap());
        let mut attempt = refund.task.attempt;
        if refund.provider_refund_id.is_some() || refund.task.requires_lookup(self.time()) {
            if matches!(behaviour, Behaviour::TimesOut(_) | Behaviour::Fails(_)) {
                return RefundSyncResult::NoResponse;
            }
            match self.provider.refund_of(refund_id, &refund.previous_provider_ids) {
                Some(created) => return RefundSyncResult::Snapshot(self.provider.refund_snapshot(created)),
                None => attempt += 1,
            }
        }
        let rejected = || RefundSyncResult::Rejected { reason: "no".to_owned() };
        let amount = refund.amount.cents();
        match behaviour {
            Behaviour::Rejects if self.provider.refund_of(refund_id, &refund.previous_provider_ids).is_none() => {
                rejected()
            }
            Behaviour::Responds | Behaviour::Rejects => {
                match self.provider.refund(refund_id, attempt, intent, amount) {
                    Some(created) => RefundSyncResult::Snapshot(self.provider.refund_snapshot(created)),
                    None => rejected(),
                }
            }
            Behaviour::TimesOut(done) | Behaviour::Fails(done) => {
                if done {
                    self.provider.refund(refund_id, attempt, intent, amount);
                }
                let outcome = if behaviour == Behaviour::TimesOut(done) {
                    UnknownOutcome::NoResponse
                } else {
                    UnknownOutcome::ServerError
                };
                RefundSyncResult::Indeterminate { outcome, attempt }
            }
        }
    }
}
