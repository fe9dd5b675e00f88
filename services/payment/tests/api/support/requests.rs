//! Requests to the payment service and to the provider.

use common::telemetry::clock::Clock;
use contracts::{OrderId, UserId};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use testkit::{ApiResponse, ResponseExt as _, eventually};

use super::{Fleet, SECRET_KEY, TIMEOUT, WEBHOOK_SECRET, intent_id, payment_id};

impl Fleet {
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> ApiResponse {
        let mut request = self.client.request(method, format!("http://{}{path}", self.address));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        ApiResponse::of(request).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> ApiResponse {
        self.send(Method::GET, path, Some(token), None).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> ApiResponse {
        self.send(Method::POST, path, Some(token), Some(body)).await
    }

    /// Sends a `POST` with an idempotency key.
    pub(crate) async fn post_keyed(&self, path: &str, token: &str, key: &str, body: &Value) -> ApiResponse {
        let request = self.client.post(format!("http://{}{path}", self.address)).bearer_auth(token);
        ApiResponse::of(request.header("idempotency-key", key).json(body)).await.unwrap()
    }

    /// Returns the request body that pays an order of 100.00.
    pub(crate) fn body(order: OrderId, user: UserId) -> Value {
        json!({"order_id": order, "user_id": user, "amount": 100, "method": "card", "provider": "stripe"})
    }

    /// Places an order of 100.00 of a new user and starts its payment.
    pub(crate) async fn started(&self) -> (OrderId, UserId, Value) {
        let user = self.user();
        let order = self.order(user, 10_000);
        (order, user, self.pay(order, user).await.json(201))
    }

    /// Starts the payment of an order of 100.00.
    pub(crate) async fn pay(&self, order: OrderId, user: UserId) -> ApiResponse {
        self.post("/api/payments", &self.token(user), Self::body(order, user)).await
    }

    /// Places an order of 100.00 and pays it with this card; returns the payment's id too.
    pub(crate) async fn paid_by(&self, card: &str) -> (OrderId, UserId, String) {
        let (order, user, started) = self.started().await;
        self.pay_as_customer(&started, card).await.json(200);
        let id = payment_id(&started).to_owned();
        self.until_status(&id, "completed").await;
        (order, user, id)
    }

    pub(crate) async fn paid(&self) -> (OrderId, UserId, String) {
        self.paid_by("pm_card_visa").await
    }

    pub(crate) async fn confirm(&self, id: &str, transaction: &str) -> ApiResponse {
        let body = json!({"provider_transaction_id": transaction});
        self.send(Method::PUT, &format!("/api/payments/{id}/confirm"), Some(&self.service()), Some(body)).await
    }

    pub(crate) async fn refund(&self, id: &str, body: Option<Value>) -> ApiResponse {
        self.send(Method::POST, &format!("/api/payments/{id}/refund"), Some(&self.admin()), body).await
    }

    /// Fetches a payment as an admin.
    pub(crate) async fn payment(&self, id: &str) -> Value {
        self.get(&format!("/api/payments/{id}"), &self.admin()).await.json(200)
    }

    pub(crate) async fn until(&self, id: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let holds = &holds;
        eventually(what, TIMEOUT, || async {
            self.reconcile_unless_automatic().await;
            Some(self.payment(id).await).filter(holds)
        })
        .await
    }

    pub(crate) async fn until_status(&self, id: &str, status: &str) -> Value {
        self.until(id, status, |payment| payment["status"] == status).await
    }

    /// Confirms the intent with the client secret, as the customer's browser does.
    pub(crate) async fn pay_as_customer(&self, started: &Value, card: &str) -> ApiResponse {
        let intent = intent_id(started);
        let secret = started["client_secret"].as_str().unwrap();
        let form = [("payment_method", card), ("client_secret", secret)];
        let url = format!("{}/v1/payment_intents/{intent}/confirm", self.sandbox_url);
        let request = self.client.post(url).bearer_auth("pk_test_browser").form(&form);
        ApiResponse::of(request).await.unwrap()
    }

    /// Calls the provider directly with the account's key.
    pub(crate) async fn stripe(&self, method: Method, path: &str, form: &[(&str, &str)]) -> Value {
        let request =
            self.client.request(method.clone(), format!("{}{path}", self.sandbox_url)).bearer_auth(SECRET_KEY);
        let request = if method == Method::GET { request.query(form) } else { request.form(form) };
        ApiResponse::of(request).await.unwrap().json(200)
    }

    pub(crate) async fn intent(&self, id: &str) -> Value {
        self.stripe(Method::GET, &format!("/v1/payment_intents/{id}"), &[]).await
    }

    /// Sends a webhook signed like the provider's.
    pub(crate) async fn webhook(&self, kind: &str, object: Value) -> ApiResponse {
        let body =
            json!({"id": "evt_made_up", "object": "event", "type": kind, "data": {"object": object}}).to_string();
        let signature = self.signature(WEBHOOK_SECRET, &body);
        self.raw_webhook(body, Some(&signature)).await
    }

    pub(crate) fn signature(&self, secret: &str, body: &str) -> String {
        let time = self.clock.now().timestamp();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{time}.{body}").as_bytes());
        let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("t={time},v1={hex}")
    }

    pub(crate) async fn raw_webhook(&self, body: String, signature: Option<&str>) -> ApiResponse {
        let mut request = self.client.post(format!("http://{}/api/webhooks/stripe", self.address)).body(body);
        request = request.header("content-type", "application/json");
        if let Some(signature) = signature {
            request = request.header("stripe-signature", signature);
        }
        ApiResponse::of(request).await.unwrap()
    }
}
