//! HTTP client of the demonstration.

use std::future::Future;
use std::time::{Duration, Instant};

use reqwest::{Client, RequestBuilder};
use serde_json::Value;

use crate::CliError;
use crate::output::print_line;

/// Deadline for an order to be paid after the card was charged.
const PAYMENT_DEADLINE: Duration = Duration::from_secs(30);
/// Interval between two reads of the order.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

pub(super) struct DemoClient {
    client: Client,
    gateway: String,
    token: Option<String>,
}

impl DemoClient {
    pub(super) fn new(gateway: &str) -> Result<Self, CliError> {
        let client = Client::builder().timeout(PAYMENT_DEADLINE).build();
        let client = client.map_err(|error| CliError::context("no HTTP client", &error))?;
        Ok(Self { client, gateway: gateway.to_owned(), token: None })
    }

    pub(super) fn set_token(&mut self, token: String) {
        self.token = Some(token);
    }

    /// Runs a step and prints its duration and result.
    pub(super) async fn step(
        &self,
        name: &str,
        call: impl Future<Output = Result<Value, CliError>>,
        describe: impl Fn(&Value) -> String,
    ) -> Result<Value, CliError> {
        let started = Instant::now();
        let body = call.await.map_err(|error| CliError::new(format!("{name}: {error}")))?;
        print_line(format_args!("{name:<22} {:>6} ms   {}", started.elapsed().as_millis(), describe(&body)));
        Ok(body)
    }

    pub(super) fn get(&self, path: &str) -> impl Future<Output = Result<Value, CliError>> + use<> {
        send(self.authorized(self.client.get(format!("{}{path}", self.gateway))))
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> impl Future<Output = Result<Value, CliError>> + use<> {
        send(self.authorized(self.client.post(format!("{}{path}", self.gateway)).json(body)))
    }

    /// Confirms a payment intent at the provider, as a browser does with the client secret.
    pub(super) fn confirm_card(
        &self,
        intent: &str,
        client_secret: &str,
        publishable_key: &str,
        card: &str,
    ) -> impl Future<Output = Result<Value, CliError>> + use<> {
        let url = format!("{}/sandbox/v1/payment_intents/{intent}/confirm", self.gateway);
        let form = [("payment_method", card), ("client_secret", client_secret)];
        send(self.client.post(url).bearer_auth(publishable_key).form(&form))
    }

    pub(super) async fn until_paid(&self, path: &str) -> Result<Value, CliError> {
        let started = Instant::now();
        loop {
            let order = self.get(path).await?;
            if order["payment_status"] == "completed" && order["status"] == "confirmed" {
                return Ok(order);
            }
            if started.elapsed() > PAYMENT_DEADLINE {
                let status = &order["payment_status"];
                return Err(CliError::new(format!("the order is not paid after 30 s: its payment is {status}")));
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

async fn send(request: RequestBuilder) -> Result<Value, CliError> {
    let response = request.send().await.map_err(|error| CliError::context("no response", &error))?;
    let status = response.status();
    let body: Value =
        response.json().await.map_err(|error| CliError::context(format!("{status}, not JSON"), &error))?;
    if status.is_success() { Ok(body) } else { Err(CliError::new(format!("rejected with {status}: {body}"))) }
}

/// Returns a text field of a response.
pub(super) fn text(body: &Value, pointer: &str) -> Result<String, CliError> {
    let found = body.pointer(pointer).and_then(Value::as_str);
    found.map(str::to_owned).ok_or_else(|| CliError::new(format!("the response has no {pointer}")))
}
