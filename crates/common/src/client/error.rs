//! Errors of calls to other services.

use std::sync::Arc;

use crate::BoxError;
use crate::config::ServiceName;

/// Errors of calls without a usable response. A 4xx response is not an error: it is a
/// [`ServiceResponse`](super::response::ServiceResponse).
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Service that cannot be found or reached, or is unavailable by its own response (502, 503, 504).
    #[error("the {} is unavailable", to.as_str())]
    Unavailable {
        /// Called service.
        to: ServiceName,
        /// Source error.
        #[source]
        source: BoxError,
    },
    /// Call that timed out; the operation may have been performed.
    #[error("the {} timed out", to.as_str())]
    Timeout {
        /// Called service.
        to: ServiceName,
    },
    /// Call error: unexpected response.
    #[error("the {} returned an unexpected response", to.as_str())]
    InvalidResponse {
        /// Called service.
        to: ServiceName,
        /// Source error.
        #[source]
        source: BoxError,
    },
}

impl CallError {
    /// Returns an error of the same kind for a caller that shared the failed call.
    pub(crate) fn shared(error: Arc<Self>) -> Self {
        match *error {
            Self::Timeout { to } => Self::Timeout { to },
            Self::Unavailable { to, .. } => Self::Unavailable { to, source: error.into() },
            Self::InvalidResponse { to, .. } => Self::InvalidResponse { to, source: error.into() },
        }
    }

    /// Returns the name of the called service.
    #[must_use]
    pub const fn to(&self) -> &'static str {
        match self {
            Self::Unavailable { to, .. } | Self::Timeout { to } | Self::InvalidResponse { to, .. } => to.as_str(),
        }
    }

    /// Returns whether a retry may succeed.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Timeout { .. })
    }
}
