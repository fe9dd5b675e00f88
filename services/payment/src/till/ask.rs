//! Asking the provider, so that whatever happens ends in a report.

use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, Utc};
use contracts::RefundId;

use super::Till;
use crate::domain::{Need, Payment, Refund, RefundReport, RefundSeen, Report};
use crate::stripe::{Intent, NewIntent, PROVIDER_LIMIT, ProviderRefund, StripeError};

/// Longest look-up before a refund is tried again under the same lease.
const LOOK_UP_LIMIT: Duration = Duration::from_secs(2);

/// What came of asking, and what went wrong if something did.
pub(super) struct Asked<R> {
    pub(super) report: R,
    pub(super) trouble: Option<StripeError>,
}

impl<R> Asked<R> {
    const fn plainly(report: R) -> Self {
        Self { report, trouble: None }
    }

    const fn with(report: R, trouble: StripeError) -> Self {
        Self { report, trouble: Some(trouble) }
    }
}

/// Ends what is asked under one lease well before the lease runs out.
async fn limited<R>(asking: impl Future<Output = Asked<R>>, otherwise: R) -> Asked<R> {
    let limited = tokio::time::timeout(PROVIDER_LIMIT, asking).await;
    limited.unwrap_or_else(|_| Asked::with(otherwise, StripeError::too_slow()))
}

/// The request that makes a payment's intent, always the same one.
pub(super) fn new_intent(payment: &Payment) -> NewIntent<'_> {
    NewIntent {
        payment: payment.id,
        order: payment.order_id,
        amount: payment.amount,
        currency: &payment.currency,
        method: payment.method,
        description: payment.description.as_deref(),
        attempt: payment.work.attempt,
    }
}

impl Till {
    /// Does what is to be done about a payment.
    pub(super) async fn ask(&self, need: Need, payment: &Payment) -> Asked<Report> {
        match need {
            Need::Look => limited(self.look_at_hint(payment), Report::Unasked).await,
            Need::Close => self.close(payment).await,
            Need::Check => limited(self.look(payment), Report::Unasked).await,
            Need::Sync => limited(self.look_at_refunds(payment), Report::Unasked).await,
            Need::Repay => Asked::plainly(Report::Unasked),
        }
    }

    /// Sees to it that no money can come by a payment's intent, or learns that it has.
    pub(super) async fn close(&self, payment: &Payment) -> Asked<Report> {
        let closing = async {
            match &payment.intent {
                Some(intent) => self.cancel(intent).await,
                None => self.close_unknown(payment).await,
            }
        };
        limited(closing, Report::Unasked).await
    }

    async fn cancel(&self, intent: &str) -> Asked<Report> {
        match self.stripe.cancel_intent(intent).await {
            Ok(intent) => Asked::plainly(Report::Seen(intent.seen())),
            // It succeeded, was cancelled before, or is just being taken.
            Err(StripeError::Refused { .. }) => self.look_at(intent).await,
            Err(error) => Asked::with(Report::Unasked, error),
        }
    }

    async fn look(&self, payment: &Payment) -> Asked<Report> {
        match &payment.intent {
            Some(intent) => known(intent, self.stripe.intent_in_turn(intent).await),
            None => Asked::plainly(Report::Unasked),
        }
    }

    /// Fetches the intent that a webhook named first.
    async fn look_at_hint(&self, payment: &Payment) -> Asked<Report> {
        let Some(intent) = payment.hints.first() else { return Asked::plainly(Report::Unasked) };
        match self.stripe.intent_in_turn(intent).await {
            Ok(seen) => Asked::plainly(Report::Looked(intent.clone(), Some(seen.seen()))),
            Err(error) if error.is_missing() => Asked::with(Report::Looked(intent.clone(), None), error),
            Err(error) => Asked::with(Report::Unasked, error),
        }
    }

    async fn look_at(&self, intent: &str) -> Asked<Report> {
        known(intent, self.stripe.intent(intent).await)
    }

    async fn look_at_refunds(&self, payment: &Payment) -> Asked<Report> {
        let asked = self.look(payment).await;
        let Report::Seen(seen) = asked.report else { return asked };
        match self.stripe.refunds_in_turn(&seen.id).await {
            Ok(refunds) => {
                let refunds = refunds.iter().filter_map(ProviderRefund::seen).collect();
                Asked::plainly(Report::Refunds(seen, refunds))
            }
            Err(error) => Asked::with(Report::Seen(seen), error),
        }
    }

    /// Nobody knows whether the intent was made. The same key tells: it gives the one that was made, or makes the one
    /// that is cancelled then. Where the key may not be used again, the list tells.
    async fn close_unknown(&self, payment: &Payment) -> Asked<Report> {
        let found = if payment.work.must_look_first(self.ledger.now()) {
            match self.stripe.find_intent(payment.id, payment.created_at).await {
                Ok(Some(intent)) => intent,
                Ok(None) => return Asked::plainly(Report::Absent),
                Err(error) => return Asked::with(Report::Unasked, error),
            }
        } else {
            match self.stripe.create_intent(&new_intent(payment)).await {
                Ok(intent) => intent,
                Err(error) => {
                    let report = match (&error, error.doubt()) {
                        (StripeError::Refused { .. }, _) => Report::Absent,
                        (_, Some(doubt)) => Report::Doubt(doubt),
                        (_, None) => Report::Unasked,
                    };
                    return Asked::with(report, error);
                }
            }
        };
        let asked = self.cancel(&found.id).await;
        match asked.report {
            // At least its id is known now.
            Report::Unasked => Asked { report: Report::Seen(found.seen()), ..asked },
            _ => asked,
        }
    }

    /// Sends a refund of a payment to the provider, or asks what became of it.
    pub(super) async fn send_refund(&self, payment: &Payment, refund: RefundId) -> Asked<RefundReport> {
        let refund = payment.refunds.iter().find(|one| one.id == refund);
        let (Some(refund), Some(intent)) = (refund, &payment.intent) else {
            return Asked::plainly(RefundReport::Unasked);
        };
        limited(self.ask_refund(refund, intent, self.ledger.now()), RefundReport::Unasked).await
    }

    /// Looks up what the provider has of a refund that failed: `None` if it has nothing of it.
    pub(super) async fn look_up_refund(
        &self,
        payment: &Payment,
        refund: RefundId,
    ) -> Result<Option<RefundSeen>, StripeError> {
        let refund = payment.refunds.iter().find(|one| one.id == refund);
        let (Some(refund), Some(intent)) = (refund, &payment.intent) else { return Ok(None) };
        let look = async {
            match &refund.provider_refund {
                Some(made) => match self.stripe.refund(made).await {
                    Err(error) if error.is_missing() => Ok(None),
                    found => found.map(Some),
                },
                None => self.stripe.find_refund(refund.id, intent, &refund.former).await,
            }
        };
        let found = tokio::time::timeout(LOOK_UP_LIMIT, look).await.map_err(|_| StripeError::too_slow())??;
        Ok(found.as_ref().and_then(ProviderRefund::seen))
    }

    async fn ask_refund(&self, refund: &Refund, intent: &str, now: DateTime<Utc>) -> Asked<RefundReport> {
        if let Some(made) = &refund.provider_refund {
            return match self.stripe.refund_in_turn(made).await {
                Ok(made) => seen(&made),
                Err(error) => Asked::with(RefundReport::Unasked, error),
            };
        }
        let mut attempt = refund.work.attempt;
        if refund.work.must_look_first(now) {
            match self.stripe.find_refund(refund.id, intent, &refund.former).await {
                Ok(Some(made)) => return seen(&made),
                Ok(None) => attempt += 1,
                Err(error) => return Asked::with(RefundReport::Unasked, error),
            }
        }
        match self.stripe.create_refund(refund.id, intent, refund.amount, attempt).await {
            Ok(made) => seen(&made),
            Err(error) => {
                let report = match (&error, error.doubt()) {
                    (StripeError::Refused { message, .. }, _) => RefundReport::Refused { reason: message.clone() },
                    (_, Some(doubt)) => RefundReport::Doubt { doubt, attempt },
                    (_, None) => RefundReport::Unasked,
                };
                Asked::with(report, error)
            }
        }
    }
}

/// What an intent that the provider made says, or that it does not know it.
fn known(intent: &str, found: Result<Intent, StripeError>) -> Asked<Report> {
    match found {
        Ok(intent) => Asked::plainly(Report::Seen(intent.seen())),
        Err(error) if error.is_missing() => {
            tracing::error!(%intent, "the payment provider does not know an intent that it made");
            Asked::with(Report::Absent, error)
        }
        Err(error) => Asked::with(Report::Unasked, error),
    }
}

fn seen(made: &ProviderRefund) -> Asked<RefundReport> {
    Asked::plainly(made.seen().map_or(RefundReport::Unasked, RefundReport::Seen))
}
