//! Errors of the user service and their mapping to HTTP responses.

use std::time::Duration;

use common::BoxError;
use common::database::store::StoreError;
use common::http::ApiError;
use contracts::{ErrorCode, FieldError};

use crate::domain::IncompleteAddress;

/// Time after which a client may retry when the password queue is full.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Error of a use case.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Service error: failure of the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Unknown user, or a user that the caller must not see.
    #[error("User not found")]
    NotFound,
    /// Service error: e-mail address of another account.
    #[error("User already exists")]
    Exists,
    /// Service error: wrong e-mail address or password.
    #[error("Invalid credentials")]
    InvalidCredentials,
    /// Service error: wrong current password.
    #[error("Invalid current password")]
    InvalidPassword,
    /// Service error: address with missing parts.
    #[error(transparent)]
    IncompleteAddress(#[from] IncompleteAddress),
    /// Service error: unknown, used or expired refresh token.
    #[error("Invalid refresh token")]
    InvalidRefreshToken,
    /// Unknown, used or expired token of a reset link.
    #[error("Invalid or expired reset link")]
    InvalidResetToken,
    /// Unknown, used or expired token of a verification link.
    #[error("Invalid or expired verification link")]
    InvalidVerificationToken,
    /// Unknown or ended session of the account.
    #[error("Session not found")]
    SessionNotFound,
    /// Too many failed logins or requested mails; the next attempt is allowed after the duration.
    #[error("Too many attempts, retry later")]
    Throttled(Duration),
    /// Service error: full queue of password hashes.
    #[error("Service overloaded, retry later")]
    Overloaded,
    /// Service error: removal of the last admin.
    #[error("The last admin cannot be deleted or demoted")]
    LastAdmin,
    /// Service error: internal failure.
    #[error("internal error")]
    Internal(#[source] BoxError),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::Store(error) => error.into(),
            Error::NotFound => Self::new(ErrorCode::UserNotFound, detail),
            Error::Exists => Self::new(ErrorCode::UserExists, detail),
            Error::InvalidCredentials => Self::new(ErrorCode::InvalidCredentials, detail),
            Error::InvalidPassword => Self::new(ErrorCode::InvalidPassword, detail),
            Error::IncompleteAddress(IncompleteAddress(parts)) => {
                let missing = |part| FieldError { field: format!("address.{part}"), message: "is required".to_owned() };
                Self::validation(parts.into_iter().map(missing).collect())
            }
            Error::InvalidRefreshToken => Self::new(ErrorCode::InvalidRefreshToken, detail),
            Error::InvalidResetToken => Self::new(ErrorCode::InvalidResetToken, detail),
            Error::InvalidVerificationToken => Self::new(ErrorCode::InvalidVerificationToken, detail),
            Error::SessionNotFound => Self::new(ErrorCode::SessionNotFound, detail),
            Error::Throttled(after) => Self::new(ErrorCode::TooManyRequests, detail).retry_after(after),
            Error::Overloaded => Self::new(ErrorCode::ServiceUnavailable, detail).retry_after(RETRY_AFTER),
            Error::LastAdmin => Self::new(ErrorCode::Conflict, detail),
            Error::Internal(source) => Self::internal(source),
        }
    }
}
