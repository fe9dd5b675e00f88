//! Errors of Stripe calls, classified by the known outcome.

use common::BoxError;
use serde::Deserialize;

use super::text::deserialize_text;
use crate::domain::UnknownOutcome;

/// Stripe's error object.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct ErrorObject {
    #[serde(default, rename = "type", deserialize_with = "deserialize_text")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "deserialize_text")]
    code: Option<String>,
    #[serde(default, deserialize_with = "deserialize_text")]
    param: Option<String>,
    #[serde(default, deserialize_with = "deserialize_text")]
    message: Option<String>,
}

/// Error of a Stripe call.
#[derive(Debug, thiserror::Error)]
pub enum StripeError {
    /// Stripe rejected the request: nothing was done, and a repeat is rejected too.
    #[error(
        "the payment provider rejected the request: status {status}, code {code:?}, parameter {param:?}: {message}"
    )]
    Rejected {
        /// HTTP status.
        status: u16,
        /// Stripe's code, such as `resource_missing`.
        code: Option<String>,
        /// Rejected parameter.
        param: Option<String>,
        /// Stripe's message.
        message: String,
    },
    /// Stripe did nothing now (rate limit, key in use, API key not accepted): a repeat may succeed.
    #[error("the payment provider did not accept the request now: status {status}: {message}")]
    Transient {
        /// HTTP status.
        status: u16,
        /// Stripe's message.
        message: String,
    },
    /// Stripe returned a server error: the outcome is unknown.
    #[error("the payment provider failed with status {status}")]
    Failed {
        /// HTTP status.
        status: u16,
    },
    /// No readable response arrived: the outcome is unknown.
    #[error("the payment provider is unavailable")]
    Unreachable(#[source] BoxError),
}

impl StripeError {
    pub(super) fn from_response(status: u16, object: ErrorObject) -> Self {
        let message = object.message.unwrap_or_else(|| "no message".to_owned());
        match status {
            500.. => Self::Failed { status },
            401 | 403 | 409 | 429 => Self::Transient { status, message },
            _ if object.kind.as_deref() == Some("idempotency_error") => Self::Transient { status, message },
            _ => Self::Rejected { status, code: object.code, param: object.param, message },
        }
    }

    pub(super) fn list_too_long(path: &str) -> Self {
        Self::Unreachable(format!("the list {path} is too long to be searched").into())
    }

    /// Creates the error of an open circuit breaker: calls timed out repeatedly, so that none was made. It equals a rate
    /// limit error of the provider.
    pub(super) fn circuit_open() -> Self {
        Self::Transient { status: 429, message: "circuit breaker open after repeated timeouts".to_owned() }
    }

    /// Creates the error of paused reads, after the provider was overloaded or failed.
    pub(super) fn reads_paused() -> Self {
        Self::Transient { status: 429, message: "reads are paused".to_owned() }
    }

    /// Creates the error of calls that together exceeded their time limit.
    #[must_use]
    pub fn timed_out() -> Self {
        Self::Unreachable("timed out".into())
    }

    /// Returns why the outcome of a creating call is unknown; `None` if it certainly created nothing.
    #[must_use]
    pub const fn unknown_outcome(&self) -> Option<UnknownOutcome> {
        match self {
            Self::Failed { .. } => Some(UnknownOutcome::ServerError),
            Self::Unreachable(_) => Some(UnknownOutcome::NoResponse),
            Self::Rejected { .. } | Self::Transient { .. } => None,
        }
    }

    /// Returns `true` if the object does not exist.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Rejected { status: 404, .. })
    }

    /// Returns `true` if the account does not offer the payment method.
    #[must_use]
    pub fn is_method_unavailable(&self) -> bool {
        matches!(self, Self::Rejected { param: Some(param), .. } if param.starts_with("payment_method_types"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_outcome_follows_from_the_status() {
        let error = |status| StripeError::from_response(status, ErrorObject::default());
        assert_eq!(error(500).unknown_outcome(), Some(UnknownOutcome::ServerError));
        assert_eq!(error(503).unknown_outcome(), Some(UnknownOutcome::ServerError));
        assert_eq!(StripeError::timed_out().unknown_outcome(), Some(UnknownOutcome::NoResponse));
        for status in [400, 401, 402, 404, 409, 429] {
            assert_eq!(error(status).unknown_outcome(), None, "{status}");
        }
        assert!(error(404).is_missing() && !error(400).is_missing());
        assert!(matches!(error(429), StripeError::Transient { .. }));
    }

    #[test]
    fn unavailable_method_is_recognised_by_its_parameter() {
        let text = r#"{"type":"invalid_request_error","param":"payment_method_types","message":"x"}"#;
        assert!(StripeError::from_response(400, serde_json::from_str(text).unwrap()).is_method_unavailable());
        assert!(!StripeError::from_response(400, ErrorObject::default()).is_method_unavailable());
    }
}
