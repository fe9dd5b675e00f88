//! One attempt to deliver one webhook.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use secrecy::SecretString;

use crate::clock::Millis;
use crate::config::RetrySchedule;
use crate::error::Error;
use crate::rules::work::{Cause, Work};
use crate::sandbox::App;
use crate::store::deliveries::{self, Delivery, Fate};
use crate::webhooks::signature::Signer;

/// How long the receiver may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where webhooks go, and how they are signed.
#[derive(Debug)]
pub(crate) struct Sender {
    client: Client,
    url: Url,
    signer: Signer,
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
        Ok(Self { client, url, signer: Signer::new(secret)? })
    }

    /// Sends, signed for this very moment: whether the receiver took it, and what it said.
    async fn send(&self, body: String, now: Millis) -> (bool, String) {
        let signature = self.signer.header(now.seconds(), &body);
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .header("stripe-signature", signature)
            .body(body);
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
    let (taken, result) = sender.send(delivery.body.clone(), app.clock.now()).await;
    let fate = if taken { Fate::Delivered } else { fate(schedule, delivery, app.clock.now()) };
    tracing::debug!(event.id = delivery.event, attempt = delivery.attempts + 1, result, "a webhook was sent");
    if fate == Fate::Abandoned {
        tracing::warn!(event.id = delivery.event, result, "a webhook was given up: nobody took it in time");
    }
    if let Err(error) = record(app, delivery.id, fate, &result).await {
        tracing::error!(%error, event.id = delivery.event, "what came of a webhook could not be recorded; it will be sent again");
        tokio::time::sleep(schedule.first).await;
    }
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
        Delivery { id: 1, event: "evt_1".into(), body: String::new(), attempts, first_at: 1_000 }
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
