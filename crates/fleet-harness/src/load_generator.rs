//! Load generator: customers who place, pay and cancel orders steadily and record the outcomes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{ApiClient, DEADLINE, Fleet, HarnessError, HarnessResult, poll_until};

/// Pause between two orders of one customer.
const PAUSE: Duration = Duration::from_millis(50);
/// Attempts of one request while no final response is received, and the pause between them.
const MAX_ATTEMPTS: usize = 150;
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// Timeout of one attempt.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Observations of all customers.
#[derive(Debug, Default)]
struct Observed {
    /// Current phase of the load.
    phase: String,
    /// Number of outcomes, by phase, call and status.
    outcomes: BTreeMap<(String, &'static str, String), u32>,
    report: LoadReport,
    /// Latest time at which an accepted order was first requested.
    last_accepted_request: Option<Instant>,
}

/// Orders that must exist after a load.
#[derive(Clone, Debug, Default)]
pub struct LoadReport {
    /// Orders that were accepted with 201.
    pub orders: Vec<Value>,
    /// Ids of orders that were charged at the provider.
    pub charged: Vec<String>,
    /// Ids of orders whose cancellation was accepted with 200.
    pub cancelled: Vec<String>,
}

/// Load that runs until it is ended.
pub struct LoadGenerator {
    observed: Arc<Mutex<Observed>>,
    ended: CancellationToken,
    customers: JoinSet<HarnessResult<()>>,
}

fn lock(observed: &Mutex<Observed>) -> MutexGuard<'_, Observed> {
    observed.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LoadGenerator {
    /// Registers customers of a fleet and starts them; each buys one piece of a product per order.
    ///
    /// # Errors
    /// If a customer cannot be registered.
    pub async fn start(fleet: &Arc<Fleet>, customers: usize, product: i64) -> HarnessResult<Self> {
        let mut load = Self { observed: Arc::default(), ended: CancellationToken::new(), customers: JoinSet::new() };
        for _ in 0..customers {
            let customer = Customer {
                fleet: fleet.clone(),
                client: fleet.customer().await?,
                product,
                observed: load.observed.clone(),
                ended: load.ended.clone(),
            };
            load.customers.spawn(customer.run());
        }
        Ok(load)
    }

    /// Begins a phase, by which outcomes are grouped.
    pub fn phase(&self, phase: impl Into<String>) {
        lock(&self.observed).phase = phase.into();
    }

    /// Waits until an order is accepted that was requested after this call.
    ///
    /// # Errors
    /// [`HarnessError::TimedOut`].
    pub async fn until_accepted(&self) -> HarnessResult<()> {
        let started = Instant::now();
        poll_until("an order to be accepted", DEADLINE, || async {
            (lock(&self.observed).last_accepted_request? > started).then_some(())
        })
        .await
    }

    /// Ends the load; returns its report and a table of the outcomes.
    ///
    /// # Errors
    /// If a customer met an invalid response.
    pub async fn end(mut self) -> HarnessResult<(LoadReport, String)> {
        self.ended.cancel();
        while let Some(ended) = self.customers.join_next().await {
            ended.map_err(|error| HarnessError::InvalidData(format!("a customer panicked: {error}")))??;
        }
        let mut observed = lock(&self.observed);
        let mut phases: BTreeMap<&str, String> = BTreeMap::new();
        for ((phase, call, status), count) in &observed.outcomes {
            phases.entry(phase).or_default().push_str(&format!(" {call} {status}: {count};"));
        }
        let table = phases.into_iter().map(|(phase, line)| format!("{phase:<44}{line}\n")).collect();
        Ok((std::mem::take(&mut observed.report), table))
    }

    /// Returns the number of outcomes that were neither a success nor a rejection by a rule.
    #[must_use]
    pub fn failures(&self) -> u32 {
        let failed = |status: &str| !(status.starts_with('2') || status.starts_with('4'));
        lock(&self.observed).outcomes.iter().filter(|((.., status), _)| failed(status)).map(|(_, count)| count).sum()
    }
}

struct Customer {
    fleet: Arc<Fleet>,
    client: ApiClient,
    product: i64,
    observed: Arc<Mutex<Observed>>,
    ended: CancellationToken,
}

impl Customer {
    async fn run(self) -> HarnessResult<()> {
        for round in 0.. {
            if self.ended.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
                break;
            }
            let form = self.client.order_form(&[(self.product, 1)]);
            let place = || self.client.request(Method::POST, "/api/orders").json(&form);
            let requested = Instant::now();
            let Some(order) = self.call_until_final("place", place).await else { continue };
            {
                let mut observed = lock(&self.observed);
                observed.report.orders.push(order.clone());
                observed.last_accepted_request = observed.last_accepted_request.max(Some(requested));
            }
            if round % 2 == 0 {
                self.pay(&order).await?;
            }
            if round % 3 == 0 {
                self.cancel(&order).await;
            }
        }
        Ok(())
    }

    async fn pay(&self, order: &Value) -> HarnessResult<()> {
        let form = ApiClient::payment_form(order);
        let pay = || self.client.request(Method::POST, "/api/payments").json(&form);
        let Some(payment) = self.call_until_final("pay", pay).await else { return Ok(()) };
        let charge = self.fleet.charge_request(&payment, "pm_card_visa")?;
        if self.call("charge", charge).await.accepted().is_some() {
            lock(&self.observed).report.charged.push(id(order));
        }
        Ok(())
    }

    async fn cancel(&self, order: &Value) {
        let path = format!("/api/orders/{}/cancel", id(order));
        if self.call("cancel", self.client.request(Method::POST, &path)).await.accepted().is_some() {
            lock(&self.observed).report.cancelled.push(id(order));
        }
    }

    /// Returns the body of a successful response. Until a final response is received, the request is repeated with the same
    /// idempotency key, as a well-behaved client does.
    async fn call_until_final(&self, name: &'static str, request: impl Fn() -> RequestBuilder) -> Option<Value> {
        let key = uuid::Uuid::now_v7().to_string();
        for _ in 0..MAX_ATTEMPTS {
            match self.call(name, request().header("Idempotency-Key", &key)).await {
                CallOutcome::Accepted(body) => return Some(body),
                CallOutcome::Rejected => return None,
                CallOutcome::Unknown => tokio::time::sleep(RETRY_PAUSE).await,
            }
        }
        None
    }

    /// Sends a request and records its outcome.
    async fn call(&self, name: &'static str, request: RequestBuilder) -> CallOutcome {
        let phase = lock(&self.observed).phase.clone();
        let (status, outcome) = match send(request).await {
            Ok((status, body)) => {
                let code = body["code"].as_str().map(|code| format!(" {code}")).unwrap_or_default();
                let outcome = match status {
                    200..300 => CallOutcome::Accepted(body),
                    500.. => CallOutcome::Unknown,
                    _ if body["code"] == "IDEMPOTENCY_IN_FLIGHT" => CallOutcome::Unknown,
                    _ => CallOutcome::Rejected,
                };
                (format!("{status}{code}"), outcome)
            }
            Err(error) if error.is_timeout() => ("no response in 15 s".to_owned(), CallOutcome::Unknown),
            Err(_) => ("connection lost".to_owned(), CallOutcome::Unknown),
        };
        *lock(&self.observed).outcomes.entry((phase, name, status)).or_default() += 1;
        outcome
    }
}

/// Outcome of a call.
enum CallOutcome {
    /// Call outcome: success with its body.
    Accepted(Value),
    /// Call outcome: rejection by a rule.
    Rejected,
    /// No final response: the call may have taken effect.
    Unknown,
}

impl CallOutcome {
    fn accepted(self) -> Option<Value> {
        match self {
            Self::Accepted(body) => Some(body),
            Self::Rejected | Self::Unknown => None,
        }
    }
}

/// Returns status and JSON body of a response, null if it has none. An incomplete response is an error.
async fn send(request: RequestBuilder) -> reqwest::Result<(u16, Value)> {
    let response = request.timeout(TIMEOUT).send().await?;
    let status = response.status().as_u16();
    Ok((status, serde_json::from_slice(&response.bytes().await?).unwrap_or_default()))
}

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap_or_default().to_owned()
}
