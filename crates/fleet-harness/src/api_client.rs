//! HTTP client of a fleet's API.

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{HarnessError, HarnessResult};

/// Caller of the API, signed in or anonymous.
#[derive(Clone, Debug)]
pub struct ApiClient {
    client: Client,
    base: String,
    token: Option<String>,
    traceparent: Option<String>,
    /// Account id; empty if not signed in.
    pub id: String,
    /// Refresh token; empty if not signed in.
    pub refresh_token: String,
}

/// Response with its parsed body.
#[derive(Clone, Debug)]
pub struct ApiResponse {
    /// HTTP status.
    pub status: u16,
    /// Headers of the response.
    pub headers: reqwest::header::HeaderMap,
    /// JSON body; a string if it is other text, null if it is empty.
    pub body: Value,
}

impl ApiResponse {
    /// Sends a request and reads its response.
    ///
    /// # Errors
    /// [`HarnessError::Http`] if no complete response is received.
    pub async fn of(request: RequestBuilder) -> HarnessResult<Self> {
        Self::read(request.send().await.map_err(HarnessError::http("no response"))?).await
    }

    /// Reads a response.
    ///
    /// # Errors
    /// [`HarnessError::Http`] if it is incomplete.
    pub async fn read(response: reqwest::Response) -> HarnessResult<Self> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.map_err(HarnessError::http("incomplete response"))?;
        let body =
            if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::String(text)) };
        Ok(Self { status, headers, body })
    }

    /// Returns the text of a header; `None` if it is missing or not text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the body if the response has this status.
    ///
    /// # Errors
    /// [`HarnessError::UnexpectedResponse`] otherwise.
    pub fn require(self, status: u16, what: &str) -> HarnessResult<Value> {
        if self.status == status {
            return Ok(self.body);
        }
        let (what, body) = (what.to_owned(), self.body.to_string());
        Err(HarnessError::UnexpectedResponse { what, status: self.status, body })
    }
}

impl ApiClient {
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

    /// Creates an anonymous client of a gateway at this address.
    ///
    /// # Errors
    /// If no HTTP client can be created.
    pub fn anonymous(gateway: &str) -> HarnessResult<Self> {
        Ok(Self::new(crate::http_client(crate::DEADLINE)?, gateway))
    }

    /// Returns the same caller at another address, such as a service's own.
    #[must_use]
    pub fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    /// Returns the same caller, whose calls belong to this trace (W3C trace context). A gateway does not continue a
    /// client's trace, so the trace id is sent as the request id too.
    #[must_use]
    pub fn traced(&self, traceparent: &str) -> Self {
        Self { traceparent: Some(traceparent.to_owned()), ..self.clone() }
    }

    /// Stores the tokens of a registration or login response.
    pub fn sign_in(&mut self, response: &Value) {
        self.set_token(response["token"].as_str().unwrap_or_default());
        response["refreshToken"].as_str().unwrap_or_default().clone_into(&mut self.refresh_token);
        response["user"]["id"].as_str().unwrap_or_default().clone_into(&mut self.id);
    }

    /// Stores an access token.
    pub fn set_token(&mut self, token: &str) {
        self.token = Some(token.to_owned());
    }

    /// Creates a request without sending it.
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

    /// Sends a `GET`.
    ///
    /// # Errors
    /// If no response is received; the same holds for the methods below.
    pub async fn get(&self, path: &str) -> HarnessResult<ApiResponse> {
        ApiResponse::of(self.request(Method::GET, path)).await
    }

    /// Sends a `POST` with a JSON body.
    ///
    /// # Errors
    /// If no response is received.
    pub async fn post(&self, path: &str, body: &Value) -> HarnessResult<ApiResponse> {
        ApiResponse::of(self.request(Method::POST, path).json(body)).await
    }

    /// Sends a `PUT` with a JSON body.
    ///
    /// # Errors
    /// If no response is received.
    pub async fn put(&self, path: &str, body: &Value) -> HarnessResult<ApiResponse> {
        ApiResponse::of(self.request(Method::PUT, path).json(body)).await
    }

    /// Sends a `PATCH` with a JSON body.
    ///
    /// # Errors
    /// If no response is received.
    pub async fn patch(&self, path: &str, body: &Value) -> HarnessResult<ApiResponse> {
        ApiResponse::of(self.request(Method::PATCH, path).json(body)).await
    }

    /// Sends a `DELETE`.
    ///
    /// # Errors
    /// If no response is received.
    pub async fn delete(&self, path: &str) -> HarnessResult<ApiResponse> {
        ApiResponse::of(self.request(Method::DELETE, path)).await
    }

    /// Returns the request body of an order of these products and quantities.
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

    /// Returns the request body of a card payment of an order.
    #[must_use]
    pub fn payment_form(order: &Value) -> Value {
        json!({
            "order_id": order["id"], "user_id": order["user_id"], "amount": order["total_amount"],
            "method": "card", "provider": "stripe",
        })
    }

    /// Adjusts a product's stock as an admin and returns the available quantity.
    ///
    /// # Errors
    /// If the adjustment is rejected.
    pub async fn restock(&self, product: i64, change: i64) -> HarnessResult<i64> {
        let path = format!("/api/products/{product}/stock");
        let product = self.patch(&path, &json!({"quantity": change})).await?.require(200, &path)?;
        Ok(product["stockQuantity"].as_i64().unwrap_or(-1))
    }
}
