//! Customers who place, pay and cancel orders, steadily, and note what they see.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Fleet, Person, until};

/// Between two orders of one customer.
const PAUSE: Duration = Duration::from_millis(50);
/// How often a customer asks for the same while no answer comes, and the time in between.
const TRIES: usize = 150;
const AGAIN: Duration = Duration::from_millis(200);
/// How long a customer waits for an answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// What the customers saw.
#[derive(Debug, Default)]
struct Seen {
    /// What happens to the fleet at the moment.
    phase: String,
    /// Answers, by phase, call and status.
    answers: BTreeMap<(String, &'static str, String), u32>,
    /// Orders that were answered with 201.
    orders: Vec<Value>,
    /// When the one of them was first asked for that was asked for last.
    asked: Option<Instant>,
    /// The ids of those that were charged at the provider.
    charged: Vec<String>,
    /// The ids of those whose cancellation was answered with 200.
    cancelled: Vec<String>,
}

/// A load that runs until it is ended.
pub struct Load {
    seen: Arc<Mutex<Seen>>,
    ended: CancellationToken,
    customers: JoinSet<()>,
}

/// What a load left: orders that must stand.
pub struct Left {
    /// Orders that were answered with 201.
    pub orders: Vec<Value>,
    /// The ids of those that were charged at the provider.
    pub charged: Vec<String>,
    /// The ids of those whose cancellation was answered with 200.
    pub cancelled: Vec<String>,
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Load {
    /// So many customers of this fleet begin, who buy one piece of this product each time.
    pub async fn begin(fleet: &Arc<Fleet>, customers: usize, product: i64) -> Self {
        let mut load = Self { seen: Arc::default(), ended: CancellationToken::new(), customers: JoinSet::new() };
        for _ in 0..customers {
            let person = fleet.customer().await;
            let customer =
                Customer { fleet: fleet.clone(), person, product, seen: load.seen.clone(), ended: load.ended.clone() };
            load.customers.spawn(customer.buy());
        }
        load
    }

    /// Says what happens to the fleet from now on.
    pub fn phase(&self, phase: impl Into<String>) {
        lock(&self.seen).phase = phase.into();
    }

    /// Waits until orders are accepted that were placed after this was called.
    pub async fn until_accepted(&self) {
        let begun = Instant::now();
        until("orders are accepted again", || async { (lock(&self.seen).asked? > begun).then_some(()) }).await;
    }

    /// Ends it; what it left, and a table of what the customers saw.
    ///
    /// # Panics
    /// If a customer met what nobody should.
    pub async fn end(mut self) -> (Left, String) {
        self.ended.cancel();
        while let Some(ended) = self.customers.join_next().await {
            ended.expect("a customer meets answers only");
        }
        let mut seen = lock(&self.seen);
        let mut phases: BTreeMap<&str, String> = BTreeMap::new();
        for ((phase, call, status), count) in &seen.answers {
            phases.entry(phase).or_default().push_str(&format!(" {call} {status}: {count};"));
        }
        let table = phases.into_iter().map(|(phase, line)| format!("{phase:<44}{line}\n")).collect();
        let left = Left {
            orders: std::mem::take(&mut seen.orders),
            charged: std::mem::take(&mut seen.charged),
            cancelled: std::mem::take(&mut seen.cancelled),
        };
        (left, table)
    }

    /// How many answers were neither what was asked for nor a refusal by a rule.
    #[must_use]
    pub fn failures(&self) -> u32 {
        let failed = |status: &str| !(status.starts_with('2') || status.starts_with('4'));
        lock(&self.seen).answers.iter().filter(|((.., status), _)| failed(status)).map(|(_, count)| count).sum()
    }
}

struct Customer {
    fleet: Arc<Fleet>,
    person: Person,
    product: i64,
    seen: Arc<Mutex<Seen>>,
    ended: CancellationToken,
}

impl Customer {
    async fn buy(self) {
        for turn in 0.. {
            if self.ended.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
                return;
            }
            let form = self.person.order_form(&[(self.product, 1)]);
            let place = || self.person.request(Method::POST, "/api/orders").json(&form);
            let asked = Instant::now();
            let Some(order) = self.insist("place", place).await else { continue };
            {
                let mut seen = lock(&self.seen);
                seen.orders.push(order.clone());
                seen.asked = seen.asked.max(Some(asked));
            }
            if turn % 2 == 0 {
                self.pay(&order).await;
            }
            if turn % 3 == 0 {
                self.cancel(&order).await;
            }
        }
    }

    async fn pay(&self, order: &Value) {
        let form = json!({
            "order_id": order["id"], "user_id": order["user_id"], "amount": order["total_amount"],
            "method": "card", "provider": "stripe",
        });
        let pay = || self.person.request(Method::POST, "/api/payments").json(&form);
        let Some(payment) = self.insist("pay", pay).await else { return };
        if self.call("charge", self.fleet.charging(&payment, "pm_card_visa")).await.is_some() {
            lock(&self.seen).charged.push(id(order));
        }
    }

    async fn cancel(&self, order: &Value) {
        let path = format!("/api/orders/{}/cancel", id(order));
        if self.call("cancel", self.person.request(Method::POST, &path)).await.is_some() {
            lock(&self.seen).cancelled.push(id(order));
        }
    }

    /// The body of an answer that grants. While none comes, the same is asked for again with the same key, as a good client
    /// does.
    async fn insist(&self, name: &'static str, request: impl Fn() -> RequestBuilder) -> Option<Value> {
        let key = uuid::Uuid::now_v7().to_string();
        for _ in 0..TRIES {
            match self.try_call(name, request().header("Idempotency-Key", &key)).await {
                Tried::Granted(body) => return Some(body),
                Tried::Refused => return None,
                Tried::Unanswered => tokio::time::sleep(AGAIN).await,
            }
        }
        None
    }

    /// The body of an answer that grants; what came is noted.
    async fn call(&self, name: &'static str, request: RequestBuilder) -> Option<Value> {
        match self.try_call(name, request).await {
            Tried::Granted(body) => Some(body),
            Tried::Refused | Tried::Unanswered => None,
        }
    }

    async fn try_call(&self, name: &'static str, request: RequestBuilder) -> Tried {
        let phase = lock(&self.seen).phase.clone();
        let (told, tried) = match ask(request).await {
            Ok((status, body)) => {
                let code = body["code"].as_str().map(|code| format!(" {code}")).unwrap_or_default();
                let tried = match status {
                    200..300 => Tried::Granted(body),
                    500.. => Tried::Unanswered,
                    _ if body["code"] == "IDEMPOTENCY_IN_FLIGHT" => Tried::Unanswered,
                    _ => Tried::Refused,
                };
                (format!("{status}{code}"), tried)
            }
            Err(error) if error.is_timeout() => ("no answer in 15 s".to_owned(), Tried::Unanswered),
            Err(_) => ("connection lost".to_owned(), Tried::Unanswered),
        };
        *lock(&self.seen).answers.entry((phase, name, told)).or_default() += 1;
        tried
    }
}

/// What came of a call.
enum Tried {
    Granted(Value),
    Refused,
    Unanswered,
}

/// The status and the JSON body of an answer, null if it has none. One that breaks off is no answer.
async fn ask(request: RequestBuilder) -> reqwest::Result<(u16, Value)> {
    let answer = request.timeout(PATIENCE).send().await?;
    let status = answer.status().as_u16();
    Ok((status, serde_json::from_slice(&answer.bytes().await?).unwrap_or_default()))
}

fn id(thing: &Value) -> String {
    thing["id"].as_str().unwrap_or_default().to_owned()
}
