//! Why the user service does not do what it is asked, and how that is answered: the one place where it is mapped.

use std::time::Duration;

use common::BoxError;
use common::http::ApiError;
use common::store::StoreError;
use contracts::{ErrorCode, FieldError};

use crate::domain::IncompleteAddress;
use crate::passwords::COME_BACK;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The store does not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such user, or it is another person.
    #[error("User not found")]
    NotFound,
    /// Somebody else has the e-mail address.
    #[error("User already exists")]
    Exists,
    /// E-mail or password is wrong.
    #[error("Invalid credentials")]
    InvalidCredentials,
    /// The current password is wrong.
    #[error("The current password is wrong")]
    InvalidPassword,
    /// An address lacks parts.
    #[error(transparent)]
    IncompleteAddress(#[from] IncompleteAddress),
    /// The refresh token is unknown, used, or its session has ended.
    #[error("Invalid refresh token")]
    InvalidRefreshToken,
    /// Too many failed logins.
    #[error("Too many failed logins, come back later")]
    Throttled(Duration),
    /// Too many logins at once.
    #[error("Too many logins at once, come back later")]
    TooBusy,
    /// The last admin cannot be removed.
    #[error("The last admin can neither be removed nor lose the role")]
    LastAdmin,
    /// A fault of the program.
    #[error("a fault")]
    Fault(#[source] BoxError),
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
            Error::Throttled(after) => Self::new(ErrorCode::TooManyRequests, detail).retry_after(after),
            Error::TooBusy => Self::new(ErrorCode::ServiceUnavailable, detail).retry_after(COME_BACK),
            Error::LastAdmin => Self::new(ErrorCode::Conflict, detail),
            Error::Fault(source) => Self::internal(source),
        }
    }
}
