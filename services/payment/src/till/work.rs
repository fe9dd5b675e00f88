//! Work that is due: what a request began and did not end, what a change asked for, what a webhook did not tell.

use common::telemetry;
use contracts::RefundId;
use tracing::{Instrument as _, Span};

use super::Till;
use super::ask::Asked;
use crate::domain::{Account, LeaseToken, Payment, RefundReport, Refusal, Report};
use crate::error::Error;
use crate::store::Due;
use crate::stripe::StripeError;

impl Till {
    /// Does one thing that is due. That somebody else is at it, or took it up meanwhile, is no fault.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn work(&self, due: Due) -> Result<(), Error> {
        let done = match due {
            Due::Payment(order, id) => {
                let token = self.ledger.token();
                let take = move |account: &mut Account, now| account.take_payment(id, token, now);
                let Some((need, payment)) = self.ledger.change(order, take).await? else { return Ok(()) };
                let asking = async {
                    let Asked { report, trouble } = self.ask(need, &payment).await;
                    tell(&payment, trouble);
                    self.report(&payment, token, report).await
                };
                asking.instrument(span(&payment)).await
            }
            Due::Refund(order, id, refund) => {
                let token = self.ledger.token();
                let take = move |account: &mut Account, now| account.take_refund(id, refund, token, now);
                let Some(payment) = self.ledger.change(order, take).await? else { return Ok(()) };
                let Asked { report, trouble } = self.send_refund(&payment, refund).await;
                tell(&payment, trouble);
                self.report_refund(&payment, refund, token, report).await
            }
        };
        match done {
            Ok(_) => Ok(()),
            Err(Error::Refused(Refusal::LeaseLost)) => {
                tracing::warn!(?due, "work on a payment took longer than its lease, somebody else took it up");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Ends the work on a payment.
    pub(super) async fn report(&self, payment: &Payment, token: LeaseToken, report: Report) -> Result<Payment, Error> {
        let id = payment.id;
        let rule = move |account: &mut Account, now| account.report(id, token, &report, now);
        self.ledger.change(payment.order_id, rule).await
    }

    /// Ends the work on a refund.
    pub(super) async fn report_refund(
        &self,
        payment: &Payment,
        refund: RefundId,
        token: LeaseToken,
        report: RefundReport,
    ) -> Result<Payment, Error> {
        let id = payment.id;
        let rule = move |account: &mut Account, now| account.report_refund(id, refund, token, &report, now);
        self.ledger.change(payment.order_id, rule).await
    }
}

/// The span of work on a payment, within the trace of the webhook that caused it.
fn span(payment: &Payment) -> Span {
    let span = tracing::info_span!("reconcile payment", service.name = crate::NAME, payment.id = %payment.id);
    telemetry::continue_trace(&span, payment.trace.as_deref());
    span
}

/// What goes wrong while nobody waits for an answer is told here; it is tried again.
pub(super) fn tell(payment: &Payment, trouble: Option<StripeError>) {
    if let Some(error) = trouble {
        let error = common::chain(&error);
        tracing::warn!(payment.id = %payment.id, error, "the payment provider did not do what it was asked");
    }
}
