//! Somebody who calls the fleet.

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use super::until;

/// A caller, signed in or not.
#[derive(Clone, Debug)]
pub struct Person {
    client: Client,
    base: String,
    token: Option<String>,
    traceparent: Option<String>,
    /// The id of the account, if it is one.
    pub id: String,
    /// The refresh token, if there is one.
    pub refresh_token: String,
}

/// An answer with its JSON body (null if there is none).
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body.
    pub body: Value,
}

impl Answer {
    /// The answer to a request.
    ///
    /// # Panics
    /// If there is none.
    pub async fn of(request: RequestBuilder) -> Self {
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.expect("a body");
        Self { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::Null) }
    }

    /// The body, if the status is this one.
    ///
    /// # Panics
    /// If it is another.
    #[must_use]
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:#}", self.body);
        self.body
    }

    /// Checks that it is a refusal with this status and code, in the one form that refusals have.
    ///
    /// # Panics
    /// If it is not.
    #[must_use]
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{:#}", self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.body["status"], status);
        assert_eq!(self.body["error"], self.body["detail"]);
        assert_eq!(self.headers["x-request-id"], self.body["request_id"].as_str().unwrap_or_default());
        self.body
    }
}

impl Person {
    pub(crate) fn new(client: Client, base: &str) -> Self {
        Self {
            client,
            base: base.to_owned(),
            token: None,
            traceparent: None,
            id: String::new(),
            refresh_token: String::new(),
        }
    }

    /// The same person at another address, such as a service's own.
    #[must_use]
    pub fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    /// The same person, whose calls are part of a trace of their own (W3C trace context). A gateway continues no trace of a
    /// client, so the trace's id is the requests' id too.
    #[must_use]
    pub fn traced(&self, traceparent: &str) -> Self {
        Self { traceparent: Some(traceparent.to_owned()), ..self.clone() }
    }

    /// Takes over the tokens of an answer of registration or login.
    pub fn sign_in(&mut self, answer: &Value) {
        self.sign_in_with(answer["token"].as_str().unwrap_or_default());
        answer["refreshToken"].as_str().unwrap_or_default().clone_into(&mut self.refresh_token);
        answer["user"]["id"].as_str().unwrap_or_default().clone_into(&mut self.id);
    }

    /// Takes over a token.
    pub fn sign_in_with(&mut self, token: &str) {
        self.token = Some(token.to_owned());
    }

    /// A request that is not yet sent.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(traceparent) = &self.traceparent {
            let id = traceparent.split('-').nth(1).unwrap_or_default();
            request = request.header("traceparent", traceparent).header("x-request-id", id);
        }
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    /// `POST` with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(body)).await
    }

    /// `PUT` with a JSON body.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::PUT, path).json(body)).await
    }

    /// `PATCH` with a JSON body.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::PATCH, path).json(body)).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path)).await
    }

    /// The body of an order of this person's.
    #[must_use]
    pub fn order_form(&self, items: &[(i64, i64)]) -> Value {
        let items: Vec<_> = items.iter().map(|(id, n)| json!({"product_id": id, "quantity": n})).collect();
        json!({
            "user_id": self.id,
            "items": items,
            "shipping_address": {
                "street": "123 Main St", "city": "New York", "state": "NY", "postal_code": "10001", "country": "US",
            },
            "customer_info": {"first_name": "John", "last_name": "Doe", "email": "john@example.com"},
        })
    }

    /// Places an order.
    pub async fn place(&self, items: &[(i64, i64)]) -> Value {
        self.post("/api/orders", &self.order_form(items)).await.expect(201)
    }

    /// Begins to pay an order by card.
    pub async fn pay(&self, order: &Value) -> Value {
        self.try_pay(order).await.expect(201)
    }

    /// Tries to begin to pay an order by card.
    pub async fn try_pay(&self, order: &Value) -> Answer {
        let form = json!({
            "order_id": order["id"], "user_id": order["user_id"], "amount": order["total_amount"],
            "method": "card", "provider": "stripe",
        });
        self.post("/api/payments", &form).await
    }

    /// Reads an order again.
    pub async fn order(&self, order: &Value) -> Value {
        self.get(&format!("/api/orders/{}", id(order))).await.expect(200)
    }

    /// Waits until an order's status and payment status are these.
    pub async fn until_order(&self, order: &Value, status: &str, payment_status: &str) -> Value {
        let what = format!("order {status}, its payment {payment_status}");
        until(&what, || async {
            let order = self.order(order).await;
            (order["status"] == status && order["payment_status"] == payment_status).then_some(order)
        })
        .await
    }

    /// Waits until a payment's status is this.
    pub async fn until_payment(&self, payment: &Value, status: &str) -> Value {
        let path = format!("/api/payments/{}", id(&payment["payment"]));
        until(&format!("payment {status}"), || async {
            let payment = self.get(&path).await.expect(200);
            (payment["status"] == status).then_some(payment)
        })
        .await
    }

    /// What is left of a product to reserve.
    pub async fn stock(&self, product: i64) -> i64 {
        let stock = self.get(&format!("/api/products/{product}/stock?quantity=1")).await.expect(200);
        stock["stockQuantity"].as_i64().unwrap_or(-1)
    }

    /// Adds to the pieces that there are of a product, or takes away, as an admin may; what is left to reserve then.
    pub async fn restock(&self, product: i64, change: i64) -> i64 {
        let path = format!("/api/products/{product}/stock");
        let product = self.patch(&path, &json!({"quantity": change})).await.expect(200);
        product["stockQuantity"].as_i64().unwrap_or(-1)
    }

    /// Waits until so much is left of a product.
    pub async fn until_stock(&self, product: i64, quantity: i64) {
        until(&format!("{quantity} of product {product}"), || async {
            (self.stock(product).await == quantity).then_some(())
        })
        .await;
    }
}

fn id(thing: &Value) -> &str {
    thing["id"].as_str().unwrap_or_default()
}
