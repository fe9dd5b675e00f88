//! Uniform errors of the API.

use std::fmt;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use contracts::{ErrorCode, FieldError, Problem};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::BoxError;
use crate::client::CallError;
use crate::database::store::StoreError;
use crate::task::request_context;

/// Default of `Retry-After` for unavailable dependencies.
const UNAVAILABLE_RETRY_AFTER: Duration = Duration::from_secs(2);

/// Error of a request. As a response it is `application/problem+json` (RFC 9457, [`Problem`]).
///
/// A server error (5xx) is logged once, with its causes, when it becomes a response; the client sees only the detail.
pub struct ApiError(Box<Inner>);

struct Inner {
    code: ErrorCode,
    status: u16,
    detail: String,
    errors: Vec<FieldError>,
    extensions: Map<String, Value>,
    retry_after: Option<Duration>,
    challenge: &'static str,
    source: Option<BoxError>,
}

impl ApiError {
    /// Creates an error with the code's own status; `detail` is for people.
    #[must_use]
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            status: code.status(),
            detail: detail.into(),
            errors: Vec::new(),
            extensions: Map::new(),
            retry_after: None,
            challenge: "Bearer",
            source: None,
        }))
    }

    /// Creates an internal error (500), whose cause the client does not see.
    #[must_use]
    pub fn internal(source: impl Into<BoxError>) -> Self {
        Self::new(ErrorCode::Internal, "Internal server error").because(source)
    }

    /// Creates an error for an unavailable dependency: 503 with `Retry-After`.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self::new(ErrorCode::ServiceUnavailable, detail).retry_after(UNAVAILABLE_RETRY_AFTER).because(source)
    }

    /// Creates an error for a missing token: 401.
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::new(ErrorCode::Unauthenticated, "A bearer token is required")
    }

    /// Creates an error for an invalid token: 401 with `error="invalid_token"` (RFC 6750, section 3.1).
    #[must_use]
    pub fn invalid_token() -> Self {
        let mut error = Self::new(ErrorCode::Unauthenticated, "The token is invalid or has expired");
        error.0.challenge = "Bearer error=\"invalid_token\"";
        error
    }

    /// Creates an error for invalid input: 400, or 422 if the service sets it by [`ApiError::status`].
    #[must_use]
    pub fn validation(errors: Vec<FieldError>) -> Self {
        let named = errors.iter().map(|error| match error.field.as_str() {
            "" => error.message.clone(),
            field => format!("{field} {}", error.message),
        });
        let detail = named.collect::<Vec<_>>().join("; ");
        Self::new(ErrorCode::ValidationFailed, if detail.is_empty() { "Invalid input".to_owned() } else { detail })
            .field_errors(errors)
    }

    /// Creates an error for one invalid field; `message` follows the field's name, as in `must be at least 1`.
    #[must_use]
    pub fn invalid_field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::validation(vec![FieldError { field: field.into(), message: message.into() }])
    }

    /// Sets another status than the code's own.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.0.status = status;
        self
    }

    /// Sets the invalid fields.
    #[must_use]
    pub fn field_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.0.errors = errors;
        self
    }

    /// Adds a member to the body, such as `shortages`.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(value) => drop(self.0.extensions.insert(key.to_owned(), value)),
            Err(error) => tracing::error!(key, %error, "error extension not serialized"),
        }
        self
    }

    /// Sets `Retry-After`, rounded up to whole seconds.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// Sets the cause, which is only logged.
    #[must_use]
    pub fn because(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Returns the error code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// Returns the HTTP status.
    #[must_use]
    pub fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Returns the invalid fields.
    #[must_use]
    pub fn errors(&self) -> &[FieldError] {
        &self.0.errors
    }

    fn log(&self) {
        let Inner { code, status, detail, source, .. } = &*self.0;
        let cause = source.as_deref().map_or_else(|| detail.clone(), |source| crate::error_chain(source));
        tracing::error!(error.code = code.as_str(), status, error = cause, "request failed");
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.detail)
    }
}

impl fmt::Debug for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { code, status, detail, errors, source, .. } = &*self.0;
        let mut shown = f.debug_struct("ApiError");
        shown.field("code", code).field("status", status).field("detail", detail).field("errors", errors);
        shown.field("source", source).finish()
    }
}

impl std::error::Error for ApiError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<StoreError> for ApiError {
    /// Maps an unavailable store to 503, a lost lease to 409, and other errors to 500.
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::OutcomeUnknown(_) => {
                Self::unavailable("Database unavailable, retry later", error)
            }
            StoreError::DiskFull(_) => Self::unavailable("Database disk full, retry later", error),
            StoreError::LeaseLost | StoreError::Contended => {
                Self::new(ErrorCode::Conflict, "Concurrent modification, retry").because(error)
            }
            _ => Self::internal(error),
        }
    }
}

impl From<CallError> for ApiError {
    /// Maps a failed call to 503, or to 504 if the request's own deadline has passed.
    fn from(error: CallError) -> Self {
        let late = request_context::deadline().is_some_and(|deadline| deadline <= tokio::time::Instant::now());
        match error {
            CallError::Timeout { .. } if late => deadline_exceeded().because(error),
            _ => Self::unavailable(format!("The {} is unavailable", error.to()), error),
        }
    }
}

pub(super) fn deadline_exceeded() -> ApiError {
    ApiError::new(ErrorCode::DeadlineExceeded, "Request deadline exceeded")
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status_code();
        // A rejection by load shedding has no cause, is counted, and must not flood the log.
        let is_shed = self.0.code == ErrorCode::ServiceUnavailable && self.0.source.is_none();
        if status.is_server_error() && !is_shed {
            self.log();
        }
        let Inner { code, detail, errors, extensions, retry_after, challenge, .. } = *self.0;
        let problem = Problem {
            kind: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            error: detail.clone(),
            detail,
            code: code.as_str().to_owned(),
            request_id: request_context::request_id().unwrap_or_default(),
            errors,
            extensions,
        };
        let mut response = (status, problem_body(&problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(after) = retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

fn problem_body(problem: &Problem) -> Vec<u8> {
    serde_json::to_vec(problem).unwrap_or_else(|error| {
        tracing::error!(%error, "error response not serialized");
        Vec::new()
    })
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    async fn body(response: Response) -> Value {
        serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
    }

    #[tokio::test]
    async fn error_is_a_problem_with_the_previous_fields() {
        let error =
            ApiError::new(ErrorCode::InsufficientStock, "Insufficient stock for some items").with("shortages", [1]);
        let response = error.into_response();
        assert_eq!(response.status(), 400);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(
            body(response).await,
            serde_json::json!({
                "type": "about:blank", "title": "Bad Request", "status": 400, "code": "INSUFFICIENT_STOCK",
                "detail": "Insufficient stock for some items", "error": "Insufficient stock for some items",
                "request_id": "", "shortages": [1],
            })
        );
    }

    #[tokio::test]
    async fn error_without_a_token_has_a_challenge() {
        let response = ApiError::unauthenticated().into_response();
        assert_eq!(
            (response.status(), &response.headers()[WWW_AUTHENTICATE]),
            (StatusCode::UNAUTHORIZED, &"Bearer".parse().unwrap())
        );
        let response = ApiError::invalid_token().into_response();
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer error=\"invalid_token\"");
    }

    #[tokio::test]
    async fn cause_is_not_shown() {
        let response = ApiError::internal("password of the store is wrong").into_response();
        assert_eq!(response.status(), 500);
        assert!(!body(response).await.to_string().contains("password"));
    }

    #[test]
    fn retry_after_is_rounded_up() {
        let error =
            ApiError::new(ErrorCode::TooManyRequests, "Too many attempts").retry_after(Duration::from_millis(1500));
        assert_eq!(error.into_response().headers()[RETRY_AFTER], "2");
    }

    #[test]
    fn unavailable_store_is_503_and_other_failures_are_500() {
        assert_eq!(ApiError::from(StoreError::Unavailable("away".into())).code(), ErrorCode::ServiceUnavailable);
        assert_eq!(ApiError::from(StoreError::LeaseLost).code(), ErrorCode::Conflict);
        assert_eq!(ApiError::from(StoreError::Decode("row".to_owned())).code(), ErrorCode::Internal);
    }
}
