//! Why the provider did not do what it was asked, told by what is known of the outcome.

use common::BoxError;
use serde::Deserialize;

use super::text::read_words;
use crate::domain::Doubt;

/// Stripe's error object.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct ErrorObject {
    #[serde(default, rename = "type", deserialize_with = "read_words")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "read_words")]
    code: Option<String>,
    #[serde(default, deserialize_with = "read_words")]
    param: Option<String>,
    #[serde(default, deserialize_with = "read_words")]
    message: Option<String>,
}

/// Why the provider did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StripeError {
    /// It refused: nothing was done, and a repeat is refused too.
    #[error("the payment provider refused with status {status}, code {code:?}, parameter {param:?}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Stripe's code, such as `resource_missing`.
        code: Option<String>,
        /// The parameter at fault.
        param: Option<String>,
        /// Stripe's words.
        message: String,
    },
    /// It did nothing now (too many calls, key in use, our key is not accepted): a repeat may do better.
    #[error("the payment provider did not take the call, with status {status}: {message}")]
    NotNow {
        /// The HTTP status.
        status: u16,
        /// Stripe's words.
        message: String,
    },
    /// It failed with a fault of its own: what it did is not known.
    #[error("the payment provider failed with status {status}")]
    Failed {
        /// The HTTP status.
        status: u16,
    },
    /// No answer that can be read came: what it did is not known.
    #[error("the payment provider did not answer")]
    Unreachable(#[source] BoxError),
}

impl StripeError {
    pub(super) fn of(status: u16, object: ErrorObject) -> Self {
        let message = object.message.unwrap_or_else(|| "no message".to_owned());
        match status {
            500.. => Self::Failed { status },
            401 | 403 | 409 | 429 => Self::NotNow { status, message },
            _ if object.kind.as_deref() == Some("idempotency_error") => Self::NotNow { status, message },
            _ => Self::Refused { status, code: object.code, param: object.param, message },
        }
    }

    pub(super) fn too_long(path: &str) -> Self {
        Self::Unreachable(format!("the list {path} is too long to be looked through").into())
    }

    /// It was late again and again, so that it was not asked: as if it had said itself that this is too much for it.
    pub(super) fn late_again_and_again() -> Self {
        Self::NotNow { status: 429, message: "it was late again and again, and is asked again in a moment".to_owned() }
    }

    /// Reads are paused since it was overloaded or failed.
    pub(super) fn reads_paused() -> Self {
        Self::NotNow { status: 429, message: "reads are paused, and go on in a moment".to_owned() }
    }

    /// The calls together took longer than they may.
    #[must_use]
    pub fn too_slow() -> Self {
        Self::Unreachable("it took longer than it may".into())
    }

    /// What is not known of a call that makes something; `None` if it certainly made nothing.
    #[must_use]
    pub const fn doubt(&self) -> Option<Doubt> {
        match self {
            Self::Failed { .. } => Some(Doubt::ServerError),
            Self::Unreachable(_) => Some(Doubt::Unanswered),
            Self::Refused { .. } | Self::NotNow { .. } => None,
        }
    }

    /// Whether the thing does not exist.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// Whether the account does not offer the payment method.
    #[must_use]
    pub fn is_method_unavailable(&self) -> bool {
        matches!(self, Self::Refused { param: Some(param), .. } if param.starts_with("payment_method_types"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_the_outcome_follows_from_the_status() {
        let of = |status| StripeError::of(status, ErrorObject::default());
        assert_eq!(of(500).doubt(), Some(Doubt::ServerError));
        assert_eq!(of(503).doubt(), Some(Doubt::ServerError));
        assert_eq!(StripeError::too_slow().doubt(), Some(Doubt::Unanswered));
        for status in [400, 401, 402, 404, 409, 429] {
            assert_eq!(of(status).doubt(), None, "{status}");
        }
        assert!(of(404).is_missing() && !of(400).is_missing());
        assert!(matches!(of(429), StripeError::NotNow { .. }));
    }

    #[test]
    fn a_method_that_the_account_lacks_is_told_by_its_parameter() {
        let text = r#"{"type":"invalid_request_error","param":"payment_method_types","message":"x"}"#;
        assert!(StripeError::of(400, serde_json::from_str(text).unwrap()).is_method_unavailable());
        assert!(!StripeError::of(400, ErrorObject::default()).is_method_unavailable());
    }
}
