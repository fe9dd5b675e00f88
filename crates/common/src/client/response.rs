//! Responses of other services.

use bytes::Bytes;
use contracts::Problem;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use super::error::CallError;
use crate::config::ServiceName;

/// What a service answered: a success, a refusal (4xx) or a fault of its own (500).
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) to: ServiceName,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// Whether the status is 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status.is_success()
    }

    /// The body as it came.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.body
    }

    /// A header's value, if it is there and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as a `T`.
    ///
    /// # Errors
    /// [`CallError::BadAnswer`] if it is none.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, CallError> {
        serde_json::from_slice(&self.body).map_err(|source| CallError::BadAnswer { to: self.to, source: source.into() })
    }

    /// The refusal, if it is one in our form.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        if self.is_success() {
            return None;
        }
        serde_json::from_slice(&self.body).ok()
    }

    /// It as an error: the service answered, but nothing that the caller can use.
    #[must_use]
    pub fn unexpected(&self) -> CallError {
        let said = self.problem().map_or_else(String::new, |problem| format!(" {}: {}", problem.code, problem.detail));
        CallError::BadAnswer { to: self.to, source: format!("status {}{said}", self.status.as_u16()).into() }
    }
}
