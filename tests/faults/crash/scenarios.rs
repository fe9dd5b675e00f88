//! Scenarios that pass every crash point, with requests that are repeated until they have a final response.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use testkit::fleet::{ApiClient, Fleet};
use uuid::Uuid;

/// Pause between two attempts.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// Timeout of one attempt, and deadline of all attempts: far longer than any lease.
const TIMEOUT: Duration = Duration::from_secs(15);
const DEADLINE: Duration = Duration::from_secs(120);

/// Callers: a customer, the admin, a trusted service.
#[derive(Clone)]
pub(crate) struct Callers {
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) customer: ApiClient,
    pub(crate) admin: ApiClient,
    pub(crate) service: ApiClient,
}

type Scenario = fn(Callers) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// Scenarios that end with their last response.
pub(crate) const QUICK: [Scenario; 12] = [
    |callers| Box::pin(set_a_password_by_mail(callers)),
    |callers| Box::pin(place_and_cancel(callers)),
    |callers| Box::pin(order_a_cart(callers)),
    |callers| Box::pin(buy(callers)),
    |callers| Box::pin(buy_and_cancel(callers)),
    |callers| Box::pin(try_another_card(callers)),
    |callers| Box::pin(start_payment_twice(callers)),
    |callers| Box::pin(pay_externally(callers)),
    |callers| Box::pin(refund_partially(callers)),
    |callers| Box::pin(ship(callers)),
    |callers| Box::pin(use_an_account(callers)),
    |callers| Box::pin(manage_the_catalogue(callers)),
];

/// Scenarios in which something has to expire.
pub(crate) const SLOW: [Scenario; 2] =
    [|callers| Box::pin(never_pay(callers)), |callers| Box::pin(reserve_without_an_order(callers))];

/// Repeats a request with the same idempotency key until it has a final response, and returns status and body.
async fn call_until_final(request: impl Fn() -> RequestBuilder) -> (u16, Value) {
    let (key, started) = (Uuid::now_v7().to_string(), tokio::time::Instant::now());
    let mut last = String::new();
    while started.elapsed() < DEADLINE {
        match request().header("Idempotency-Key", &key).timeout(TIMEOUT).send().await {
            Ok(response) => {
                let status = response.status().as_u16();
                let text = response.text().await;
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
        tokio::time::sleep(RETRY_PAUSE).await;
    }
    panic!("no final response in {DEADLINE:?}, the last was: {last}");
}

/// Reads a resource until it satisfies a condition.
async fn until(person: &ApiClient, path: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let started = tokio::time::Instant::now();
    loop {
        let (_, body) = call_until_final(|| person.request(Method::GET, path)).await;
        if is(&body) {
            return body;
        }
        assert!(started.elapsed() < DEADLINE, "timed out waiting for {what}: {body:#}");
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

fn id(thing: &Value) -> String {
    thing["id"].as_str().unwrap_or_default().to_owned()
}

impl Callers {
    async fn send(&self, person: &ApiClient, method: Method, path: &str, body: &Value) -> (u16, Value) {
        call_until_final(|| person.request(method.clone(), path).json(body)).await
    }

    async fn place(&self) -> Value {
        let form = self.customer.order_form(&[(1, 1), (2, 2)]);
        let (status, order) = self.send(&self.customer, Method::POST, "/api/orders", &form).await;
        assert_eq!(status, 201, "{order:#}");
        order
    }

    /// Starts a payment; `None` if the order can no longer be paid.
    async fn pay(&self, order: &Value) -> Option<Value> {
        let form = json!({
            "order_id": order["id"], "user_id": order["user_id"], "amount": order["total_amount"],
            "method": "card", "provider": "stripe",
        });
        let (status, payment) = self.send(&self.customer, Method::POST, "/api/payments", &form).await;
        (status == 201).then_some(payment)
    }

    async fn charge(&self, payment: &Value, card: &str) {
        call_until_final(|| self.fleet.charge_request(payment, card).unwrap()).await;
    }

    async fn cancel(&self, order: &Value) {
        let path = format!("/api/orders/{}/cancel", id(order));
        self.send(&self.customer, Method::POST, &path, &json!({"reason": "changed my mind"})).await;
    }

    /// Waits until the order is paid, or cancelled at its deadline.
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

async fn place_and_cancel(callers: Callers) {
    let order = callers.place().await;
    let path = format!("/api/orders/{}", id(&order));
    callers.send(&callers.customer, Method::PUT, &path, &json!({"notes": "by the door"})).await;
    callers.cancel(&order).await;
    callers.until_cancelled(&order).await;
}

/// Fills a cart before signing in, merges it into the one of the person, and orders it in two tabs. A request with another
/// key finds the cart changed or empty, so that there is one order.
async fn order_a_cart(callers: Callers) {
    let mut person = callers.fleet.visitor();
    let (_, unclaimed) = callers.send(&person, Method::POST, "/api/carts", &Value::Null).await;
    let path = format!("/api/carts/{}", id(&unclaimed));
    callers.send(&person, Method::PUT, &format!("{path}/items/1"), &json!({"quantity": 2})).await;
    let form = json!({
        "firstName": "Ann", "lastName": "Lee", "email": format!("{}@example.com", Uuid::now_v7().simple()),
        "password": "password123",
    });
    callers.send(&person, Method::POST, "/api/auth/register", &form).await;
    let (status, session) = callers.send(&person, Method::POST, "/api/auth/login", &form).await;
    assert_eq!(status, 200, "{session:#}");
    person.sign_in(&session);
    let (_, own) = callers.send(&person, Method::POST, "/api/carts", &Value::Null).await;
    let item = format!("/api/carts/{}/items/2", id(&own));
    callers.send(&person, Method::PUT, &item, &json!({"quantity": 1})).await;
    let (status, cart) = callers.send(&person, Method::POST, &format!("{path}/claim"), &Value::Null).await;
    assert_eq!((status, &cart["id"]), (200, &own["id"]), "{cart:#}");
    let lines: Vec<_> =
        cart["items"].as_array().unwrap().iter().map(|item| (&item["product_id"], &item["quantity"])).collect();
    assert_eq!(lines, [(&json!(2), &json!(1)), (&json!(1), &json!(2))], "no line was lost");
    let mut form = person.order_form(&[]);
    form.as_object_mut().unwrap().remove("items");
    form["cart_id"] = cart["id"].clone();
    form["cart_version"] = cart["version"].clone();
    form["expected_total"] = cart["total_amount"].clone();
    let tab = || callers.send(&person, Method::POST, "/api/orders", &form);
    let ((first, _), (second, _)) = tokio::join!(tab(), tab());
    assert!([(201, 409), (409, 201)].contains(&(first, second)), "two tabs place one order: {first} {second}");
    let (_, emptied) = call_until_final(|| person.request(Method::GET, "/api/carts/mine")).await;
    assert_eq!(emptied["items"], json!([]));
    callers.send(&person, Method::DELETE, &format!("/api/carts/{}", id(&own)), &Value::Null).await;
}

async fn buy(callers: Callers) {
    let order = callers.place().await;
    let path = format!("/api/orders/{}/payments", id(&order));
    let (status, payment) =
        callers.send(&callers.customer, Method::POST, &path, &json!({"payment_method": "card"})).await;
    if status == 201 {
        callers.charge(&payment, "pm_card_visa").await;
        callers.until_paid(&order).await;
    }
}

async fn buy_and_cancel(callers: Callers) {
    let Some((order, _)) = callers.paid().await else { return };
    callers.cancel(&order).await;
    callers.until_cancelled(&order).await;
    let path = format!("/api/orders/{}", id(&order));
    let given_back = |order: &Value| order["payment_status"] != "completed";
    until(&callers.customer, &path, "a refund", given_back).await;
}

async fn try_another_card(callers: Callers) {
    let order = callers.place().await;
    let Some(payment) = callers.pay(&order).await else { return };
    callers.charge(&payment, "pm_card_chargeDeclined").await;
    let path = format!("/api/payments/{}", id(&payment["payment"]));
    let ended = |payment: &Value| payment["status"] == "failed" || payment["status"] == "cancelled";
    until(&callers.customer, &path, "a payment that failed", ended).await;
    let Some(payment) = callers.pay(&order).await else { return };
    callers.charge(&payment, "pm_card_visa").await;
    callers.until_paid(&order).await;
}

async fn start_payment_twice(callers: Callers) {
    let order = callers.place().await;
    let (Some(_), Some(payment)) = (callers.pay(&order).await, callers.pay(&order).await) else { return };
    callers.charge(&payment, "pm_card_visa").await;
    callers.until_paid(&order).await;
}

async fn pay_externally(callers: Callers) {
    let order = callers.place().await;
    let Some(payment) = callers.pay(&order).await else { return };
    let path = format!("/api/payments/{}", id(&payment["payment"]));
    let transaction = json!({"provider_transaction_id": format!("cash-{}", Uuid::now_v7())});
    callers.send(&callers.service, Method::PUT, &format!("{path}/confirm"), &transaction).await;
    callers.until_paid(&order).await;
    callers.send(&callers.service, Method::POST, &format!("{path}/refund"), &json!({"amount": 1.50})).await;
}

async fn refund_partially(callers: Callers) {
    let Some((_, payment)) = callers.paid().await else { return };
    let path = format!("/api/payments/{}", id(&payment));
    callers
        .send(&callers.admin, Method::POST, &format!("{path}/refund"), &json!({"amount": 2.25, "reason": "late"}))
        .await;
    let settled = |payment: &Value| {
        payment["refunds"].as_array().is_some_and(|all| all.iter().all(|refund| refund["status"] != "pending"))
    };
    until(&callers.customer, &path, "a refund that is settled", settled).await;
}

async fn ship(callers: Callers) {
    let Some((order, _)) = callers.paid().await else { return };
    let path = format!("/api/orders/{}", id(&order));
    let tracking = json!({"carrier": "DHL", "number": "0034"});
    for body in [
        json!({"status": "processing"}),
        json!({"status": "shipped", "tracking": tracking}),
        json!({"status": "delivered", "staff_notes": "left at the door"}),
    ] {
        callers.send(&callers.admin, Method::PUT, &path, &body).await;
    }
}

/// Returns the tokens of the reset links in the mails to an address, oldest first.
fn reset_tokens(fleet: &Fleet, email: &str) -> Vec<String> {
    let files = std::fs::read_dir(fleet.mail_folder()).into_iter().flatten().flatten();
    let mut files: Vec<_> =
        files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|end| end == "eml")).collect();
    files.sort_unstable();
    let mails = files.iter().filter_map(|path| std::fs::read_to_string(path).ok());
    let mails = mails.filter(|mail| mail.contains(&format!("<{email}>")));
    let token = |mail: String| {
        let (_, rest) = mail.split_once("/password/reset?token=")?;
        Some(rest.split(['\r', '"']).next().unwrap_or_default().to_owned())
    };
    mails.filter_map(token).collect()
}

/// Sets a new password by the link of a mail, which arrives whatever crashes. A mail that is sent again voids the link of the
/// one before.
async fn set_a_password_by_mail(callers: Callers) {
    let person = callers.fleet.visitor();
    let email = format!("{}@example.com", Uuid::now_v7().simple());
    let form = |password: &str| json!({"firstName": "Ann", "lastName": "Lee", "email": email, "password": password});
    callers.send(&person, Method::POST, "/api/auth/register", &form("password123")).await;
    let (_, session) = callers.send(&person, Method::POST, "/api/auth/login", &form("password123")).await;
    let path = format!("/api/users/{}/password-reset", session["user"]["id"].as_str().unwrap());
    let (status, body) = callers.send(&callers.admin, Method::POST, &path, &Value::Null).await;
    assert_eq!(status, 202, "{body:#}");
    let (started, mut tried) = (tokio::time::Instant::now(), Vec::new());
    loop {
        if let Some(token) = reset_tokens(&callers.fleet, &email).pop().filter(|token| !tried.contains(token)) {
            let reset = json!({"token": token, "newPassword": "another password"});
            // It is used up if the response was lost.
            callers.send(&person, Method::POST, "/api/auth/password/reset", &reset).await;
            let (status, _) = callers.send(&person, Method::POST, "/api/auth/login", &form("another password")).await;
            if status == 200 {
                return;
            }
            tried.push(token);
        }
        assert!(started.elapsed() < DEADLINE, "no mail with a valid link in {DEADLINE:?}: {} links", tried.len());
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

async fn use_an_account(callers: Callers) {
    let mut person = callers.fleet.visitor();
    let (email, password) = (format!("{}@example.com", Uuid::now_v7().simple()), "password123");
    let form = json!({"firstName": "Ann", "lastName": "Lee", "email": email, "password": password});
    callers.send(&person, Method::POST, "/api/auth/register", &form).await;
    let form = json!({"email": email, "password": password});
    let (status, session) = callers.send(&person, Method::POST, "/api/auth/login", &form).await;
    assert_eq!(status, 200, "a registered account can sign in: {session:#}");
    person.sign_in(&session);
    callers.send(&person, Method::PUT, "/api/users/me", &json!({"firstName": "Anna"})).await;
    callers.send(&person, Method::POST, "/api/auth/refresh", &json!({"refreshToken": session["refreshToken"]})).await;
    let (status, _) =
        callers.send(&callers.admin, Method::DELETE, &format!("/api/users/{}", person.id), &Value::Null).await;
    assert!(matches!(status, 204 | 404), "the admin may delete an account: {status}");
}

/// Returns a WebP file of one pixel that was never uploaded before.
fn picture() -> Vec<u8> {
    let content = [&b"\x2f\0\0\0\0"[..], Uuid::now_v7().as_bytes(), b"\0"].concat();
    let chunk = [&b"WEBPVP8L"[..], &22_u32.to_le_bytes(), &content].concat();
    [&b"RIFF"[..], &34_u32.to_le_bytes(), &chunk].concat()
}

async fn manage_the_catalogue(callers: Callers) {
    let sku = Uuid::now_v7().to_string();
    let form = json!({"name": "Lamp", "description": "Lights", "price": 9.5, "category": "Home", "sku": sku});
    callers.send(&callers.admin, Method::POST, "/api/products", &form).await;
    let (_, product) =
        call_until_final(|| callers.customer.request(Method::GET, &format!("/api/products/sku/{sku}"))).await;
    let path = format!("/api/products/{}", product["id"]);
    callers.send(&callers.admin, Method::PUT, &path, &json!({"price": 10.5})).await;
    callers.send(&callers.admin, Method::PATCH, &format!("{path}/stock"), &json!({"quantity": 5})).await;
    callers.send(&callers.customer, Method::POST, &format!("{path}/reviews"), &json!({"rating": 4})).await;
    let (file, images) = (picture(), format!("{path}/images"));
    let form = || Form::new().part("file", Part::bytes(file.clone()));
    let upload = || callers.admin.request(Method::POST, &images).multipart(form());
    let (status, image) = call_until_final(upload).await;
    assert_eq!(status, 201, "{image:#}");
    let (status, _) =
        call_until_final(|| callers.customer.request(Method::GET, image["url"].as_str().unwrap_or_default())).await;
    assert_eq!(status, 200, "the file of {image:#}");
    callers.send(&callers.admin, Method::DELETE, &path, &Value::Null).await;
}

async fn never_pay(callers: Callers) {
    let order = callers.place().await;
    callers.until_cancelled(&order).await;
}

async fn reserve_without_an_order(callers: Callers) {
    let order = Uuid::now_v7();
    let form = json!({"orderId": order, "items": [{"productId": 3, "quantity": 1}]});
    callers.send(&callers.service, Method::POST, "/api/products/reservations", &form).await;
    let path = format!("/api/products/reservations/{order}");
    let released = |found: &Value| found["status"] == "released" || found["code"] == "RESERVATION_NOT_FOUND";
    until(&callers.service, &path, "a reservation that runs out", released).await;
}
