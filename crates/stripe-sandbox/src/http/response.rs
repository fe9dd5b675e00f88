//! Responses and errors in Stripe's format.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

/// Response of an operation. Its effect and, under an idempotency key, its body are stored in one transaction.
#[derive(Debug)]
pub(crate) struct ApiResponse {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl ApiResponse {
    /// Returns 200 with an object.
    pub(crate) const fn ok(body: Value) -> Self {
        Self { status: StatusCode::OK, body }
    }
}

impl IntoResponse for ApiResponse {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}

/// Error object of Stripe (<https://docs.stripe.com/api/errors>).
#[derive(Debug, Default, Serialize)]
pub(crate) struct ErrorObject {
    pub(crate) r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) decline_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) doc_url: Option<String>,
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) param: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) charge: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) payment_intent: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) payment_method: Option<Value>,
}

impl ErrorObject {
    /// Sets the code, and the URL of its documentation.
    pub(crate) fn with_code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self.doc_url = Some(format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-")));
        self
    }

    /// Returns the body of a response with this error.
    pub(crate) fn body(&self) -> Value {
        serde_json::json!({ "error": self })
    }
}

/// Error of a request, which leaves the ledger unchanged.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) object: Box<ErrorObject>,
    /// `true` if the operation had started: then the error is stored under the idempotency key, as at Stripe.
    pub(crate) executed: bool,
    source: Option<sqlx::Error>,
}

impl ApiError {
    fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        let object = ErrorObject { r#type: kind, message: message.into(), ..ErrorObject::default() };
        Self { status, object: Box::new(object), executed: false, source: None }
    }

    /// Returns 400 `invalid_request_error`.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", message)
    }

    /// Returns 401 `invalid_request_error`.
    pub(crate) fn unauthorized(message: impl Into<String>) -> Self {
        Self::invalid(message).status(StatusCode::UNAUTHORIZED)
    }

    /// Returns 400 `idempotency_error`.
    pub(crate) fn idempotency(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "idempotency_error", message)
    }

    /// Returns 500 `api_error` for an injected fault.
    pub(crate) fn injected() -> Self {
        let message = "Injected error: see PUT /sandbox/behaviour.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "api_error", message)
    }

    /// Returns 404 for an id in the path and 400 for one in a parameter. `kind` is Stripe's name of the object, such as
    /// `payment_intent`.
    pub(crate) fn missing(kind: &str, id: &str, param: &str) -> Self {
        let status = if matches!(param, "intent" | "id") { StatusCode::NOT_FOUND } else { StatusCode::BAD_REQUEST };
        Self::invalid(format!("No such {kind}: '{id}'")).status(status).code("resource_missing").param(param)
    }

    pub(crate) const fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn code(mut self, code: &'static str) -> Self {
        *self.object = std::mem::take(&mut *self.object).with_code(code);
        self
    }

    pub(crate) fn param(mut self, param: impl Into<String>) -> Self {
        self.object.param = Some(param.into());
        self
    }

    pub(crate) fn payment_intent(mut self, intent: Value) -> Self {
        self.object.payment_intent = Some(intent);
        self
    }

    /// Marks an error of the operation itself, after the parameters were validated.
    pub(crate) const fn executed(mut self) -> Self {
        self.executed = true;
        self
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        let message = "An internal error occurred in the sandbox; see its log.";
        Self { source: Some(error), ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, "api_error", message) }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if let Some(error) = &self.source {
            tracing::error!(%error, "ledger access failed");
        }
        let mut response = (self.status, Json(self.object.body())).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"Stripe\""));
        }
        response
    }
}
