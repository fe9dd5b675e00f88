//! The shop as a customer's program sees it.

use std::future::Future;
use std::time::Instant;

use reqwest::{Client, RequestBuilder};
use serde_json::Value;

use super::{PAID_DEADLINE, POLL};
use crate::{Failure, say};

pub(super) struct Shop {
    client: Client,
    gateway: String,
    token: Option<String>,
}

impl Shop {
    pub(super) fn new(gateway: &str) -> Result<Self, Failure> {
        let client = Client::builder().timeout(PAID_DEADLINE).build();
        let client = client.map_err(|error| Failure::doing("no HTTP client", &error))?;
        Ok(Self { client, gateway: gateway.to_owned(), token: None })
    }

    pub(super) fn sign_in(&mut self, token: String) {
        self.token = Some(token);
    }

    /// Plays a step, and shows it with its time and what came of it.
    pub(super) async fn step(
        &self,
        name: &str,
        call: impl Future<Output = Result<Value, Failure>>,
        show: impl Fn(&Value) -> String,
    ) -> Result<Value, Failure> {
        let begun = Instant::now();
        let answer = call.await.map_err(|failure| Failure::new(format!("{name}: {failure}")))?;
        say(format_args!("{name:<22} {:>6} ms   {}", begun.elapsed().as_millis(), show(&answer)));
        Ok(answer)
    }

    pub(super) fn get(&self, path: &str) -> impl Future<Output = Result<Value, Failure>> + use<> {
        send(self.signed(self.client.get(format!("{}{path}", self.gateway))))
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> impl Future<Output = Result<Value, Failure>> + use<> {
        send(self.signed(self.client.post(format!("{}{path}", self.gateway)).json(body)))
    }

    /// What a browser does with the client secret: it tells the provider which card to charge.
    pub(super) fn confirm_card(
        &self,
        intent: &str,
        client_secret: &str,
        publishable_key: &str,
        card: &str,
    ) -> impl Future<Output = Result<Value, Failure>> + use<> {
        let url = format!("{}/sandbox/v1/payment_intents/{intent}/confirm", self.gateway);
        let form = [("payment_method", card), ("client_secret", client_secret)];
        send(self.client.post(url).bearer_auth(publishable_key).form(&form))
    }

    pub(super) async fn until_paid(&self, path: &str) -> Result<Value, Failure> {
        let begun = Instant::now();
        loop {
            let order = self.get(path).await?;
            if order["payment_status"] == "completed" && order["status"] == "confirmed" {
                return Ok(order);
            }
            if begun.elapsed() > PAID_DEADLINE {
                return Err(Failure::new(format!("after 30 s it is not paid, but {}", order["payment_status"])));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

async fn send(request: RequestBuilder) -> Result<Value, Failure> {
    let answer = request.send().await.map_err(|error| Failure::doing("no answer", &error))?;
    let status = answer.status();
    let body: Value = answer.json().await.map_err(|error| Failure::doing(format!("{status}, not JSON"), &error))?;
    if status.is_success() { Ok(body) } else { Err(Failure::new(format!("refused with {status}: {body}"))) }
}

/// A text of an answer.
pub(super) fn text(answer: &Value, pointer: &str) -> Result<String, Failure> {
    let found = answer.pointer(pointer).and_then(Value::as_str);
    found.map(str::to_owned).ok_or_else(|| Failure::new(format!("the answer has no {pointer}")))
}
