//! People who go every way there is through the fleet, and insist until they are answered.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use testkit::fleet::{Fleet, Person};
use uuid::Uuid;

/// Between two tries of the same.
const AGAIN: Duration = Duration::from_millis(100);
/// How long an answer may take, and how long somebody insists on one: far longer than any lease lasts.
const PATIENCE: Duration = Duration::from_secs(15);
const DEADLINE: Duration = Duration::from_secs(120);

/// Those who act: a customer, the admin, a trusted program.
#[derive(Clone)]
pub(crate) struct Cast {
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) customer: Person,
    pub(crate) admin: Person,
    pub(crate) program: Person,
}

type Journey = fn(Cast) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// Journeys that end as soon as everybody has answered.
pub(crate) const QUICK: [Journey; 10] = [
    |cast| Box::pin(place_and_cancel(cast)),
    |cast| Box::pin(buy(cast)),
    |cast| Box::pin(buy_and_regret(cast)),
    |cast| Box::pin(try_another_card(cast)),
    |cast| Box::pin(begin_to_pay_twice(cast)),
    |cast| Box::pin(pay_elsewhere(cast)),
    |cast| Box::pin(get_some_back(cast)),
    |cast| Box::pin(ship(cast)),
    |cast| Box::pin(live_with_an_account(cast)),
    |cast| Box::pin(keep_a_catalogue(cast)),
];

/// Journeys on which something has to run out.
pub(crate) const SLOW: [Journey; 2] = [|cast| Box::pin(never_pay(cast)), |cast| Box::pin(reserve_for_nothing(cast))];

/// The answer to a request that is repeated, with the same key, until the fleet is up to it; null where it has no body.
async fn insist(request: impl Fn() -> RequestBuilder) -> (u16, Value) {
    let (key, begun) = (Uuid::now_v7().to_string(), tokio::time::Instant::now());
    let mut last = String::new();
    while begun.elapsed() < DEADLINE {
        match request().header("Idempotency-Key", &key).timeout(PATIENCE).send().await {
            Ok(answer) => {
                let status = answer.status().as_u16();
                let text = answer.text().await;
                last = format!("{status} {text:?}");
                if let Ok(text) = text {
                    let body: Value = serde_json::from_str(&text).unwrap_or_default();
                    if status < 500 && body["code"] != "IDEMPOTENCY_IN_FLIGHT" {
                        return (status, body);
                    }
                }
            }
            Err(error) => last = error.to_string(),
        }
        tokio::time::sleep(AGAIN).await;
    }
    panic!("no answer in {DEADLINE:?}, the last was: {last}");
}

/// Reads until what is read is as it should be.
async fn until(person: &Person, path: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let begun = tokio::time::Instant::now();
    loop {
        let (_, body) = insist(|| person.request(Method::GET, path)).await;
        if is(&body) {
            return body;
        }
        assert!(begun.elapsed() < DEADLINE, "waited in vain for {what}: {body:#}");
        tokio::time::sleep(AGAIN).await;
    }
}

fn id(thing: &Value) -> String {
    thing["id"].as_str().unwrap_or_default().to_owned()
}

impl Cast {
    async fn send(&self, person: &Person, method: Method, path: &str, body: &Value) -> (u16, Value) {
        insist(|| person.request(method.clone(), path).json(body)).await
    }

    async fn place(&self) -> Value {
        let form = self.customer.order_form(&[(1, 1), (2, 2)]);
        let (status, order) = self.send(&self.customer, Method::POST, "/api/orders", &form).await;
        assert_eq!(status, 201, "{order:#}");
        order
    }

    /// What came of beginning to pay; none if the order cannot be paid any more.
    async fn pay(&self, order: &Value) -> Option<Value> {
        let form = json!({
            "order_id": order["id"], "user_id": order["user_id"], "amount": order["total_amount"],
            "method": "card", "provider": "stripe",
        });
        let (status, payment) = self.send(&self.customer, Method::POST, "/api/payments", &form).await;
        (status == 201).then_some(payment)
    }

    async fn charge(&self, payment: &Value, card: &str) {
        insist(|| self.fleet.charging(payment, card)).await;
    }

    async fn cancel(&self, order: &Value) {
        let path = format!("/api/orders/{}/cancel", id(order));
        self.send(&self.customer, Method::POST, &path, &json!({"reason": "changed my mind"})).await;
    }

    /// Waits until the order was paid, or was cancelled since it took too long.
    async fn until_paid(&self, order: &Value) {
        let path = format!("/api/orders/{}", id(order));
        let ended = |order: &Value| order["payment_status"] == "completed" || order["status"] == "cancelled";
        until(&self.customer, &path, "an order that is paid", ended).await;
    }

    async fn until_cancelled(&self, order: &Value) {
        let path = format!("/api/orders/{}", id(order));
        until(&self.customer, &path, "an order that is cancelled", |order| order["status"] == "cancelled").await;
    }

    async fn paid(&self) -> Option<(Value, Value)> {
        let order = self.place().await;
        let payment = self.pay(&order).await?;
        self.charge(&payment, "pm_card_visa").await;
        self.until_paid(&order).await;
        Some((order, payment["payment"].clone()))
    }
}

async fn place_and_cancel(cast: Cast) {
    let order = cast.place().await;
    let path = format!("/api/orders/{}", id(&order));
    cast.send(&cast.customer, Method::PUT, &path, &json!({"notes": "by the door"})).await;
    cast.cancel(&order).await;
    cast.until_cancelled(&order).await;
}

async fn buy(cast: Cast) {
    let order = cast.place().await;
    let path = format!("/api/orders/{}/payments", id(&order));
    let (status, payment) = cast.send(&cast.customer, Method::POST, &path, &json!({"payment_method": "card"})).await;
    if status == 201 {
        cast.charge(&payment, "pm_card_visa").await;
        cast.until_paid(&order).await;
    }
}

async fn buy_and_regret(cast: Cast) {
    let Some((order, _)) = cast.paid().await else { return };
    cast.cancel(&order).await;
    cast.until_cancelled(&order).await;
    let path = format!("/api/orders/{}", id(&order));
    let given_back = |order: &Value| order["payment_status"] != "completed";
    until(&cast.customer, &path, "money that is given back", given_back).await;
}

async fn try_another_card(cast: Cast) {
    let order = cast.place().await;
    let Some(payment) = cast.pay(&order).await else { return };
    cast.charge(&payment, "pm_card_chargeDeclined").await;
    let path = format!("/api/payments/{}", id(&payment["payment"]));
    let ended = |payment: &Value| payment["status"] == "failed" || payment["status"] == "cancelled";
    until(&cast.customer, &path, "a payment that failed", ended).await;
    let Some(payment) = cast.pay(&order).await else { return };
    cast.charge(&payment, "pm_card_visa").await;
    cast.until_paid(&order).await;
}

async fn begin_to_pay_twice(cast: Cast) {
    let order = cast.place().await;
    let (Some(_), Some(payment)) = (cast.pay(&order).await, cast.pay(&order).await) else { return };
    cast.charge(&payment, "pm_card_visa").await;
    cast.until_paid(&order).await;
}

async fn pay_elsewhere(cast: Cast) {
    let order = cast.place().await;
    let Some(payment) = cast.pay(&order).await else { return };
    let path = format!("/api/payments/{}", id(&payment["payment"]));
    let transaction = json!({"provider_transaction_id": format!("cash-{}", Uuid::now_v7())});
    cast.send(&cast.program, Method::PUT, &format!("{path}/confirm"), &transaction).await;
    cast.until_paid(&order).await;
    cast.send(&cast.program, Method::POST, &format!("{path}/refund"), &json!({"amount": 1.50})).await;
}

async fn get_some_back(cast: Cast) {
    let Some((_, payment)) = cast.paid().await else { return };
    let path = format!("/api/payments/{}", id(&payment));
    cast.send(&cast.admin, Method::POST, &format!("{path}/refund"), &json!({"amount": 2.25, "reason": "late"})).await;
    let settled = |payment: &Value| {
        payment["refunds"].as_array().is_some_and(|all| all.iter().all(|refund| refund["status"] != "pending"))
    };
    until(&cast.customer, &path, "a refund that is settled", settled).await;
}

async fn ship(cast: Cast) {
    let Some((order, _)) = cast.paid().await else { return };
    let path = format!("/api/orders/{}", id(&order));
    for status in ["processing", "shipped", "delivered"] {
        cast.send(&cast.admin, Method::PUT, &path, &json!({"status": status})).await;
    }
}

async fn live_with_an_account(cast: Cast) {
    let mut person = cast.fleet.visitor();
    let (email, password) = (format!("{}@example.com", Uuid::now_v7().simple()), "password123");
    let form = json!({"firstName": "Ann", "lastName": "Lee", "email": email, "password": password});
    cast.send(&person, Method::POST, "/api/auth/register", &form).await;
    let form = json!({"email": email, "password": password});
    let (status, session) = cast.send(&person, Method::POST, "/api/auth/login", &form).await;
    assert_eq!(status, 200, "whoever was registered, or was told so, can sign in: {session:#}");
    person.sign_in(&session);
    cast.send(&person, Method::PUT, "/api/users/me", &json!({"firstName": "Anna"})).await;
    cast.send(&person, Method::POST, "/api/auth/refresh", &json!({"refreshToken": session["refreshToken"]})).await;
    let (status, _) = cast.send(&cast.admin, Method::DELETE, &format!("/api/users/{}", person.id), &Value::Null).await;
    assert!(matches!(status, 204 | 404), "the admin may delete an account: {status}");
}

async fn keep_a_catalogue(cast: Cast) {
    let sku = Uuid::now_v7().to_string();
    let form = json!({"name": "Lamp", "description": "Lights", "price": 9.5, "category": "Home", "sku": sku});
    cast.send(&cast.admin, Method::POST, "/api/products", &form).await;
    let (_, product) = insist(|| cast.customer.request(Method::GET, &format!("/api/products/sku/{sku}"))).await;
    let path = format!("/api/products/{}", product["id"]);
    cast.send(&cast.admin, Method::PUT, &path, &json!({"price": 10.5})).await;
    cast.send(&cast.admin, Method::PATCH, &format!("{path}/stock"), &json!({"quantity": 5})).await;
    cast.send(&cast.customer, Method::POST, &format!("{path}/reviews"), &json!({"rating": 4})).await;
    cast.send(&cast.admin, Method::DELETE, &path, &Value::Null).await;
}

async fn never_pay(cast: Cast) {
    let order = cast.place().await;
    cast.until_cancelled(&order).await;
}

async fn reserve_for_nothing(cast: Cast) {
    let order = Uuid::now_v7();
    let form = json!({"orderId": order, "items": [{"productId": 3, "quantity": 1}]});
    cast.send(&cast.program, Method::POST, "/api/products/reservations", &form).await;
    let path = format!("/api/products/reservations/{order}");
    let released = |found: &Value| found["status"] == "released" || found["code"] == "RESERVATION_NOT_FOUND";
    until(&cast.program, &path, "a reservation that runs out", released).await;
}
