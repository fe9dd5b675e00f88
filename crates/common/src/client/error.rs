//! Errors of calls to other services.

use std::sync::Arc;

use crate::BoxError;
use crate::config::ServiceName;

/// Why a call has no answer that can be used. A refusal is no error: it is an [`Answer`](super::response::Answer).
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The service cannot be found or reached, or says itself that it is unavailable (502, 503, 504).
    #[error("the {} is unavailable", to.as_str())]
    Unavailable {
        /// Which service.
        to: ServiceName,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// The answer did not come in time; what was asked for may have been done.
    #[error("the {} did not answer in time", to.as_str())]
    Timeout {
        /// Which service.
        to: ServiceName,
    },
    /// The answer is not what it should be.
    #[error("the {} answered something unexpected", to.as_str())]
    BadAnswer {
        /// Which service.
        to: ServiceName,
        /// What is wrong with it.
        #[source]
        source: BoxError,
    },
}

impl CallError {
    /// Returns an error of the same kind, for each caller that waited for the call that failed.
    pub(crate) fn shared(error: Arc<Self>) -> Self {
        match *error {
            Self::Timeout { to } => Self::Timeout { to },
            Self::Unavailable { to, .. } => Self::Unavailable { to, source: error.into() },
            Self::BadAnswer { to, .. } => Self::BadAnswer { to, source: error.into() },
        }
    }

    /// The name of the service that was called.
    #[must_use]
    pub const fn to(&self) -> &'static str {
        match self {
            Self::Unavailable { to, .. } | Self::Timeout { to } | Self::BadAnswer { to, .. } => to.as_str(),
        }
    }

    /// Whether the same call may do better later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Timeout { .. })
    }
}
