//! One attempt to deliver one webhook.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use secrecy::SecretString;
use tracing::{Instrument as _, Span, field};

use crate::behaviour::{part_of, strikes};
use crate::clock::Millis;
use crate::config::RetrySchedule;
use crate::error::Error;
use crate::rules::work::{Cause, Work};
use crate::sandbox::App;
use crate::store::deliveries::{self, Delivery, Fate};
use crate::webhooks::lie::lie;
use crate::webhooks::signature::Signer;

/// How long the receiver may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where webhooks go, and how they are signed.
#[derive(Debug)]
pub(crate) struct Sender {
    client: Client,
    url: Url,
    signer: Signer,
    forger: Signer,
}

impl Sender {
    /// A sender to `url`.
    pub(crate) fn new(url: &str, secret: &SecretString) -> Result<Self, Error> {
        // A provider that the process chose before stays; the client needs one even where it speaks plain HTTP.
        let _chosen_before = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("stripe-sandbox/", env!("CARGO_PKG_VERSION")))
            .timeout(PATIENCE)
            .redirect(Policy::none())
            .no_proxy()
            .build()?;
        let url = url.parse().map_err(|_| Error::Config("the sandbox's webhook URL is no address".into()))?;
        let forger = Signer::new(&SecretString::from("whsec_of_somebody_else"))?;
        Ok(Self { client, url, signer: Signer::new(secret)?, forger })
    }

    /// Sends what somebody without the secret would: the event under another id and signed by another key.
    async fn forge(&self, body: &str, now: Millis) {
        let body = body.replace("\"evt_", "\"evt_forged_");
        let signature = self.forger.header(now.seconds(), &body);
        let (taken, result) = self.send_signed(body, signature).await;
        if taken {
            tracing::error!(result, "a forged webhook was taken");
        }
    }

    /// Sends, signed for this very moment: whether the receiver took it, and what it said.
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
            Some(carried) => request.header(trace_context::TRACEPARENT, carried),
            None => request,
        };
        match request.send().await {
            Ok(response) => (response.status().is_success(), response.status().as_u16().to_string()),
            Err(error) if error.is_timeout() => (false, "timeout".into()),
            Err(error) if error.is_connect() => (false, "nobody listens".into()),
            Err(_) => (false, "the connection broke".into()),
        }
    }
}

/// Tries once and records what came of it.
pub(crate) async fn attempt(app: &App, sender: &Sender, schedule: &RetrySchedule, delivery: &Delivery) {
    let (fate, result) = match misbehave(app, delivery) {
        Some(instead) => instead,
        None => send(app, sender, schedule, delivery).instrument(span(delivery)).await,
    };
    tracing::debug!(event.id = delivery.event, attempt = delivery.attempts + 1, result, "a webhook was sent");
    if fate == Fate::Abandoned {
        tracing::warn!(event.id = delivery.event, result, "a webhook was given up: nobody took it in time");
    }
    if let Err(error) = record(app, delivery.id, fate, &result).await {
        tracing::error!(%error, event.id = delivery.event, "what came of a webhook could not be recorded; it will be sent again");
        tokio::time::sleep(schedule.first).await;
    }
}

/// The span of sending it, within the trace of the request that caused it.
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

/// What is done instead of sending, by the rates that are set.
fn misbehave(app: &App, delivery: &Delivery) -> Option<(Fate, String)> {
    let behaviour = app.settings.behaviour.get();
    if delivery.attempts > 0 {
        return None;
    }
    if strikes(behaviour.webhook_drop) {
        return Some((Fate::Abandoned, "dropped on purpose".to_owned()));
    }
    let later = strikes(behaviour.webhook_delay);
    let next = || app.clock.now().plus(part_of(behaviour.webhook_delay_ms));
    later.then(|| (Fate::Again(next()), "delayed on purpose".to_owned()))
}

async fn send(app: &App, sender: &Sender, schedule: &RetrySchedule, delivery: &Delivery) -> (Fate, String) {
    let behaviour = app.settings.behaviour.get();
    if strikes(behaviour.webhook_forge) {
        sender.forge(&delivery.body, app.clock.now()).await;
    }
    let body = if strikes(behaviour.webhook_lie) {
        lie(&delivery.body, rand::random::<u16>().into())
    } else {
        delivery.body.clone()
    };
    if strikes(behaviour.webhook_double) {
        let (first, second) = (body.clone(), body);
        let (_, (taken, result)) =
            tokio::join!(sender.send(first, app.clock.now()), sender.send(second, app.clock.now()));
        return (came_of(taken, app, schedule, delivery), result);
    }
    let (taken, result) = sender.send(body, app.clock.now()).await;
    (came_of(taken, app, schedule, delivery), result)
}

fn came_of(taken: bool, app: &App, schedule: &RetrySchedule, delivery: &Delivery) -> Fate {
    if !taken {
        Span::current().record("otel.status_code", "ERROR");
    }
    if taken { Fate::Delivered } else { fate(schedule, delivery, app.clock.now()) }
}

/// What becomes of a webhook that was not taken.
fn fate(schedule: &RetrySchedule, delivery: &Delivery, now: Millis) -> Fate {
    let next = now.plus(schedule.delay(delivery.attempts.saturating_add(1)));
    if next > Millis(delivery.first_at).plus(schedule.give_up_after) { Fate::Abandoned } else { Fate::Again(next) }
}

async fn record(app: &App, id: i64, fate: Fate, result: &str) -> Result<(), sqlx::Error> {
    let mut work = Work::begin(app, Cause::default()).await?;
    deliveries::record(work.conn(), id, fate, result).await?;
    work.finish().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(attempts: u32) -> Delivery {
        Delivery { id: 1, event: "evt_1".into(), body: String::new(), attempts, first_at: 1_000, traceparent: None }
    }

    #[test]
    fn waits_grow_and_end_after_three_days() {
        let schedule = RetrySchedule::default();
        let again = |attempts, now| fate(&schedule, &delivery(attempts), Millis(now));
        assert_eq!(again(0, 2_000), Fate::Again(Millis(3_000)));
        assert_eq!(again(2, 2_000), Fate::Again(Millis(6_000)));
        assert_eq!(again(50, 2_000), Fate::Again(Millis(62_000)));
        let three_days = 3 * 24 * 60 * 60 * 1000;
        assert_eq!(again(50, three_days), Fate::Abandoned);
    }
}
