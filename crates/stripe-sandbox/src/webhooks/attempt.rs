//! Attempt to deliver a webhook.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use secrecy::SecretString;
use tracing::{Instrument as _, Span, field};

use crate::clock::Millis;
use crate::config::RetrySchedule;
use crate::error::Error;
use crate::faults::{random_delay, roll};
use crate::state::AppState;
use crate::store::deliveries::{self, Delivery, DeliveryOutcome};
use crate::transaction::{LedgerTx, RequestOrigin};
use crate::webhooks::signature::Signer;
use crate::webhooks::tamper::tamper;

/// Time-out of the receiver.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Client that signs and sends webhooks.
#[derive(Debug)]
pub(crate) struct Sender {
    client: Client,
    url: Url,
    signer: Signer,
    forged_signer: Signer,
}

impl Sender {
    /// Creates a sender to a URL.
    pub(crate) fn new(url: &str, secret: &SecretString) -> Result<Self, Error> {
        // A provider installed earlier is kept; the client requires one even for plain HTTP.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("stripe-sandbox/", env!("CARGO_PKG_VERSION")))
            .timeout(TIMEOUT)
            .redirect(Policy::none())
            .no_proxy()
            .build()?;
        let url = url.parse().map_err(|_| Error::Config("the webhook URL of the sandbox is not valid".into()))?;
        let forged_signer = Signer::new(&SecretString::from("whsec_of_somebody_else"))?;
        Ok(Self { client, url, signer: Signer::new(secret)?, forged_signer })
    }

    /// Sends a forged webhook: the event under another id and signed with another secret.
    async fn send_forged(&self, body: &str, now: Millis) {
        let body = body.replace("\"evt_", "\"evt_forged_");
        let signature = self.forged_signer.header(now.seconds(), &body);
        let (accepted, result) = self.send_signed(body, signature).await;
        if accepted {
            tracing::error!(result, "forged webhook accepted");
        }
    }

    /// Sends an event, signed for the current time. Returns whether the receiver accepted it, and the result.
    async fn send(&self, body: String, now: Millis) -> (bool, String) {
        let signature = self.signer.header(now.seconds(), &body);
        self.send_signed(body, signature).await
    }

    async fn send_signed(&self, body: String, signature: String) -> (bool, String) {
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .header("stripe-signature", signature)
            .body(body);
        let request = match trace_context::traceparent() {
            Some(traceparent) => request.header(trace_context::TRACEPARENT, traceparent),
            None => request,
        };
        match request.send().await {
            Ok(response) => (response.status().is_success(), response.status().as_u16().to_string()),
            Err(error) if error.is_timeout() => (false, "timeout".into()),
            Err(error) if error.is_connect() => (false, "connection failed".into()),
            Err(_) => (false, "connection closed".into()),
        }
    }
}

/// Attempts a delivery once, and records the outcome.
pub(crate) async fn attempt(app: &AppState, sender: &Sender, schedule: &RetrySchedule, delivery: &Delivery) {
    let (outcome, result) = match injected_fault(app, delivery) {
        Some(fault) => fault,
        None => send(app, sender, schedule, delivery).instrument(span(delivery)).await,
    };
    tracing::debug!(event.id = delivery.event, attempt = delivery.attempts + 1, result, "webhook sent");
    if outcome == DeliveryOutcome::Abandoned {
        tracing::warn!(event.id = delivery.event, result, "webhook abandoned");
    }
    if let Err(error) = record(app, delivery.id, outcome, &result).await {
        tracing::error!(%error, event.id = delivery.event, "recording a webhook attempt failed, it will be repeated");
        tokio::time::sleep(schedule.first).await;
    }
}

/// Creates the span of an attempt, in the trace of the request that caused the event.
fn span(delivery: &Delivery) -> Span {
    let span = tracing::info_span!(
        "webhook",
        otel.name = "POST webhook",
        otel.kind = "client",
        otel.status_code = field::Empty,
        service.name = "stripe-sandbox",
        http.request.method = "POST",
        http.request.resend_count = delivery.attempts,
        stripe.event.id = delivery.event,
    );
    trace_context::continue_trace(&span, delivery.traceparent.as_deref());
    span
}

/// Returns the outcome that replaces the first attempt by the current fault rates, if any.
fn injected_fault(app: &AppState, delivery: &Delivery) -> Option<(DeliveryOutcome, String)> {
    let rates = app.settings.faults.get();
    if delivery.attempts > 0 {
        return None;
    }
    if roll(rates.webhook_drop) {
        return Some((DeliveryOutcome::Abandoned, "dropped by fault injection".to_owned()));
    }
    let delayed = roll(rates.webhook_delay);
    let next = || app.clock.now().plus(random_delay(rates.webhook_delay_ms));
    delayed.then(|| (DeliveryOutcome::Retry(next()), "delayed by fault injection".to_owned()))
}

async fn send(
    app: &AppState,
    sender: &Sender,
    schedule: &RetrySchedule,
    delivery: &Delivery,
) -> (DeliveryOutcome, String) {
    let rates = app.settings.faults.get();
    if roll(rates.webhook_forge) {
        sender.send_forged(&delivery.body, app.clock.now()).await;
    }
    let body = if roll(rates.webhook_lie) {
        tamper(&delivery.body, rand::random::<u16>().into())
    } else {
        delivery.body.clone()
    };
    if roll(rates.webhook_double) {
        let (first, second) = (body.clone(), body);
        let (_, (accepted, result)) =
            tokio::join!(sender.send(first, app.clock.now()), sender.send(second, app.clock.now()));
        return (classify_delivery(accepted, app, schedule, delivery), result);
    }
    let (accepted, result) = sender.send(body, app.clock.now()).await;
    (classify_delivery(accepted, app, schedule, delivery), result)
}

/// Returns the outcome of an attempt that the receiver accepted or not.
fn classify_delivery(accepted: bool, app: &AppState, schedule: &RetrySchedule, delivery: &Delivery) -> DeliveryOutcome {
    if !accepted {
        Span::current().record("otel.status_code", "ERROR");
    }
    if accepted { DeliveryOutcome::Delivered } else { after_failure(schedule, delivery, app.clock.now()) }
}

/// Returns the outcome of a failed attempt: a retry until the schedule ends.
fn after_failure(schedule: &RetrySchedule, delivery: &Delivery, now: Millis) -> DeliveryOutcome {
    let next = now.plus(schedule.delay(delivery.attempts.saturating_add(1)));
    if next > Millis(delivery.first_at).plus(schedule.give_up_after) {
        DeliveryOutcome::Abandoned
    } else {
        DeliveryOutcome::Retry(next)
    }
}

async fn record(app: &AppState, id: i64, outcome: DeliveryOutcome, result: &str) -> Result<(), sqlx::Error> {
    let mut tx = LedgerTx::begin(app, RequestOrigin::default()).await?;
    deliveries::record(tx.conn(), id, outcome, result).await?;
    tx.commit_silently().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(attempts: u32) -> Delivery {
        Delivery { id: 1, event: "evt_1".into(), body: String::new(), attempts, first_at: 1_000, traceparent: None }
    }

    #[test]
    fn retry_delays_grow_and_end_after_three_days() {
        let schedule = RetrySchedule::default();
        let retry = |attempts, now| after_failure(&schedule, &delivery(attempts), Millis(now));
        assert_eq!(retry(0, 2_000), DeliveryOutcome::Retry(Millis(3_000)));
        assert_eq!(retry(2, 2_000), DeliveryOutcome::Retry(Millis(6_000)));
        assert_eq!(retry(50, 2_000), DeliveryOutcome::Retry(Millis(62_000)));
        let three_days = 3 * 24 * 60 * 60 * 1000;
        assert_eq!(retry(50, three_days), DeliveryOutcome::Abandoned);
    }
}
