//! Use case: receive a Stripe webhook.

use common::telemetry;

use super::PaymentService;
use crate::clients::stripe::{WebhookEvent, parse_webhook_event};
use crate::domain::OrderPayments;
use crate::error::Error;

impl PaymentService {
    /// Verifies and parses a webhook, and schedules a fetch of the object that it names. Webhooks about objects of others
    /// are ignored. The content of the webhook is never applied: the reconciler fetches the object from the provider.
    ///
    /// # Errors
    /// [`Error::InvalidSignature`], [`Error::MalformedWebhook`], or an unavailable store;
    /// [`crate::domain::PaymentError::TooManyHints`].
    pub(crate) async fn handle_webhook(&self, signature: Option<&str>, body: &[u8]) -> Result<(), Error> {
        self.webhook_secrets.verify(signature, body, self.unit_of_work.now())?;
        let event = parse_webhook_event(body).map_err(Error::MalformedWebhook)?;
        let trace = telemetry::traceparent();
        match event {
            WebhookEvent::Intent { intent, payment } => {
                let mut order = self.unit_of_work.order_id_by_intent(&intent).await?;
                // A webhook that overtakes the response to the creating call finds its payment by the metadata.
                if let (None, Some(payment)) = (order, payment) {
                    order = self.unit_of_work.order_id_by_payment(payment).await?;
                }
                let Some(order) = order else { return Ok(()) };
                let hint = |payments: &mut OrderPayments, now| payments.add_intent_hint(&intent, payment, trace, now);
                self.unit_of_work.update(order, hint).await
            }
            WebhookEvent::Refund { intent, claim } => {
                let Some(order) = self.unit_of_work.order_id_by_intent(&intent).await? else { return Ok(()) };
                let request_sync = |payments: &mut OrderPayments, now| {
                    payments.request_refund_sync(&intent, claim.as_ref(), trace, now);
                    Ok(())
                };
                self.unit_of_work.update(order, request_sync).await
            }
            WebhookEvent::Other => Ok(()),
        }
    }
}
