//! Provider calls under a lease. Every call ends in a result that can be recorded, whatever happens.

use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, Utc};
use contracts::RefundId;

use super::PaymentService;
use crate::clients::stripe::{NewIntent, PROVIDER_TIMEOUT, PaymentIntent, ProviderRefund, StripeError};
use crate::domain::{NextAction, Payment, Refund, RefundSnapshot, RefundSyncResult, SyncResult};

/// Time limit of the look-up before a refund is retried under the same lease.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);

/// Result of a provider call, with the error that occurred, if any.
pub(super) struct ProviderOutcome<R> {
    pub(super) result: R,
    pub(super) error: Option<StripeError>,
}

impl<R> ProviderOutcome<R> {
    const fn ok(result: R) -> Self {
        Self { result, error: None }
    }

    const fn failed(result: R, error: StripeError) -> Self {
        Self { result, error: Some(error) }
    }
}

/// Aborts provider calls under one lease well before the lease expires.
async fn with_timeout<R>(call: impl Future<Output = ProviderOutcome<R>>, on_timeout: R) -> ProviderOutcome<R> {
    let outcome = tokio::time::timeout(PROVIDER_TIMEOUT, call).await;
    outcome.unwrap_or_else(|_| ProviderOutcome::failed(on_timeout, StripeError::timed_out()))
}

/// Returns the request that creates a payment's intent. It is the same on every attempt.
pub(super) fn new_intent(payment: &Payment) -> NewIntent<'_> {
    NewIntent {
        payment: payment.id,
        order: payment.order_id,
        amount: payment.amount,
        currency: &payment.currency,
        method: payment.method,
        description: payment.description.as_deref(),
        attempt: payment.task.attempt,
    }
}

/// Logs a provider error for which no client waits; the call is repeated later.
pub(super) fn log_provider_error(payment: &Payment, error: Option<StripeError>) {
    if let Some(error) = error {
        let error = common::error_chain(&error);
        tracing::warn!(payment.id = %payment.id, error, "payment provider call failed; it is repeated later");
    }
}

impl PaymentService {
    /// Performs the next action of a payment at the provider.
    pub(super) async fn perform(&self, action: NextAction, payment: &Payment) -> ProviderOutcome<SyncResult> {
        match action {
            NextAction::FetchHintedIntent => with_timeout(self.fetch_hinted(payment), SyncResult::NoResponse).await,
            NextAction::CancelIntent => self.cancel_intent(payment).await,
            NextAction::FetchIntent => with_timeout(self.fetch_current(payment), SyncResult::NoResponse).await,
            NextAction::SyncRefunds => with_timeout(self.fetch_refunds(payment), SyncResult::NoResponse).await,
            NextAction::CreateRefund => ProviderOutcome::ok(SyncResult::NoResponse),
        }
    }

    /// Makes sure that a payment's intent captures nothing, or finds that it has captured.
    pub(super) async fn cancel_intent(&self, payment: &Payment) -> ProviderOutcome<SyncResult> {
        let cancel = async {
            match &payment.intent {
                Some(intent) => self.cancel_known_intent(intent).await,
                None => self.resolve_unknown_intent(payment).await,
            }
        };
        with_timeout(cancel, SyncResult::NoResponse).await
    }

    async fn cancel_known_intent(&self, intent: &str) -> ProviderOutcome<SyncResult> {
        match self.stripe.cancel_intent(intent).await {
            Ok(intent) => ProviderOutcome::ok(SyncResult::Snapshot(intent.to_snapshot())),
            // It succeeded, was cancelled before, or is being captured.
            Err(StripeError::Rejected { .. }) => self.fetch_intent(intent).await,
            Err(error) => ProviderOutcome::failed(SyncResult::NoResponse, error),
        }
    }

    async fn fetch_current(&self, payment: &Payment) -> ProviderOutcome<SyncResult> {
        match &payment.intent {
            Some(intent) => existing_intent(intent, self.stripe.get_intent_rate_limited(intent).await),
            None => ProviderOutcome::ok(SyncResult::NoResponse),
        }
    }

    /// Fetches the first intent named by a webhook.
    async fn fetch_hinted(&self, payment: &Payment) -> ProviderOutcome<SyncResult> {
        let Some(intent) = payment.hints.first() else { return ProviderOutcome::ok(SyncResult::NoResponse) };
        let hinted = |snapshot| SyncResult::HintedIntent(intent.clone(), snapshot);
        match self.stripe.get_intent_rate_limited(intent).await {
            Ok(found) => ProviderOutcome::ok(hinted(Some(found.to_snapshot()))),
            Err(error) if error.is_missing() => ProviderOutcome::failed(hinted(None), error),
            Err(error) => ProviderOutcome::failed(SyncResult::NoResponse, error),
        }
    }

    async fn fetch_intent(&self, intent: &str) -> ProviderOutcome<SyncResult> {
        existing_intent(intent, self.stripe.get_intent(intent).await)
    }

    async fn fetch_refunds(&self, payment: &Payment) -> ProviderOutcome<SyncResult> {
        let outcome = self.fetch_current(payment).await;
        let SyncResult::Snapshot(snapshot) = outcome.result else { return outcome };
        match self.stripe.list_refunds_rate_limited(&snapshot.id).await {
            Ok(refunds) => {
                let refunds = refunds.iter().filter_map(ProviderRefund::to_snapshot).collect();
                ProviderOutcome::ok(SyncResult::SnapshotWithRefunds(snapshot, refunds))
            }
            Err(error) => ProviderOutcome::failed(SyncResult::Snapshot(snapshot), error),
        }
    }

    /// Cancels an intent whose creation has an unknown outcome. A repeat with the same key returns the created intent, or
    /// creates one that is cancelled then. If the key may not be reused, the list of intents is searched.
    async fn resolve_unknown_intent(&self, payment: &Payment) -> ProviderOutcome<SyncResult> {
        let found = if payment.task.requires_lookup(self.unit_of_work.now()) {
            match self.stripe.find_intent(payment.id, payment.created_at).await {
                Ok(Some(intent)) => intent,
                Ok(None) => return ProviderOutcome::ok(SyncResult::NotFound),
                Err(error) => return ProviderOutcome::failed(SyncResult::NoResponse, error),
            }
        } else {
            match self.stripe.create_intent(&new_intent(payment)).await {
                Ok(intent) => intent,
                Err(error) => {
                    let result = match (&error, error.unknown_outcome()) {
                        (StripeError::Rejected { .. }, _) => SyncResult::NotFound,
                        (_, Some(outcome)) => SyncResult::Indeterminate(outcome),
                        (_, None) => SyncResult::NoResponse,
                    };
                    return ProviderOutcome::failed(result, error);
                }
            }
        };
        let outcome = self.cancel_known_intent(&found.id).await;
        match outcome.result {
            // At least its id is known now.
            SyncResult::NoResponse => ProviderOutcome { result: SyncResult::Snapshot(found.to_snapshot()), ..outcome },
            _ => outcome,
        }
    }

    /// Sends a refund of a payment to the provider, or fetches its status if it was sent before.
    pub(super) async fn send_refund(&self, payment: &Payment, refund: RefundId) -> ProviderOutcome<RefundSyncResult> {
        let (Some(refund), Some(intent)) = (payment.refund(refund), &payment.intent) else {
            return ProviderOutcome::ok(RefundSyncResult::NoResponse);
        };
        let call = self.send_or_fetch_refund(refund, intent, self.unit_of_work.now());
        with_timeout(call, RefundSyncResult::NoResponse).await
    }

    /// Looks up a failed refund at the provider; `None` if the provider does not have it.
    pub(super) async fn look_up_refund(
        &self,
        payment: &Payment,
        refund: RefundId,
    ) -> Result<Option<RefundSnapshot>, StripeError> {
        let (Some(refund), Some(intent)) = (payment.refund(refund), &payment.intent) else { return Ok(None) };
        let lookup = async {
            match &refund.provider_refund_id {
                Some(id) => match self.stripe.get_refund(id).await {
                    Err(error) if error.is_missing() => Ok(None),
                    found => found.map(Some),
                },
                None => self.stripe.find_refund(refund.id, intent, &refund.previous_provider_ids).await,
            }
        };
        let found = tokio::time::timeout(LOOKUP_TIMEOUT, lookup).await.map_err(|_| StripeError::timed_out())??;
        Ok(found.as_ref().and_then(ProviderRefund::to_snapshot))
    }

    async fn send_or_fetch_refund(
        &self,
        refund: &Refund,
        intent: &str,
        now: DateTime<Utc>,
    ) -> ProviderOutcome<RefundSyncResult> {
        if let Some(id) = &refund.provider_refund_id {
            return match self.stripe.get_refund_rate_limited(id).await {
                Ok(found) => existing_refund(&found),
                Err(error) => ProviderOutcome::failed(RefundSyncResult::NoResponse, error),
            };
        }
        let mut attempt = refund.task.attempt;
        if refund.task.requires_lookup(now) {
            match self.stripe.find_refund(refund.id, intent, &refund.previous_provider_ids).await {
                Ok(Some(found)) => return existing_refund(&found),
                Ok(None) => attempt += 1,
                Err(error) => return ProviderOutcome::failed(RefundSyncResult::NoResponse, error),
            }
        }
        match self.stripe.create_refund(refund.id, intent, refund.amount, attempt).await {
            Ok(created) => existing_refund(&created),
            Err(error) => {
                let result = match (&error, error.unknown_outcome()) {
                    (StripeError::Rejected { message, .. }, _) => {
                        RefundSyncResult::Rejected { reason: message.clone() }
                    }
                    (_, Some(outcome)) => RefundSyncResult::Indeterminate { outcome, attempt },
                    (_, None) => RefundSyncResult::NoResponse,
                };
                ProviderOutcome::failed(result, error)
            }
        }
    }
}

/// Converts the response about an intent that the provider created.
fn existing_intent(intent: &str, found: Result<PaymentIntent, StripeError>) -> ProviderOutcome<SyncResult> {
    match found {
        Ok(intent) => ProviderOutcome::ok(SyncResult::Snapshot(intent.to_snapshot())),
        Err(error) if error.is_missing() => {
            tracing::error!(stripe.intent = %intent, "payment provider does not know an intent that it created");
            ProviderOutcome::failed(SyncResult::NotFound, error)
        }
        Err(error) => ProviderOutcome::failed(SyncResult::NoResponse, error),
    }
}

fn existing_refund(refund: &ProviderRefund) -> ProviderOutcome<RefundSyncResult> {
    ProviderOutcome::ok(refund.to_snapshot().map_or(RefundSyncResult::NoResponse, RefundSyncResult::Snapshot))
}
