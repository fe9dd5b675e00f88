//! Responses of other services.

use bytes::Bytes;
use contracts::Problem;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use super::error::CallError;
use crate::config::ServiceName;

/// Response of a service with status 2xx, 4xx or 500.
#[derive(Clone, Debug)]
pub struct ServiceResponse {
    pub(super) to: ServiceName,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl ServiceResponse {
    /// Returns the HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// Returns whether the status is 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status.is_success()
    }

    /// Returns the raw body.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.body
    }

    /// Returns the value of a header, if it is present and text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Deserializes the body.
    ///
    /// # Errors
    /// [`CallError::InvalidResponse`] if the body is not a valid `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, CallError> {
        serde_json::from_slice(&self.body)
            .map_err(|source| CallError::InvalidResponse { to: self.to, source: source.into() })
    }

    /// Returns the problem, if the response is one.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        if self.is_success() {
            return None;
        }
        serde_json::from_slice(&self.body).ok()
    }

    /// Returns the response as an error, if the caller cannot use it.
    #[must_use]
    pub fn unexpected(&self) -> CallError {
        let hint = self.problem().map_or_else(String::new, |problem| format!(" {}: {}", problem.code, problem.detail));
        CallError::InvalidResponse { to: self.to, source: format!("status {}{hint}", self.status.as_u16()).into() }
    }
}
