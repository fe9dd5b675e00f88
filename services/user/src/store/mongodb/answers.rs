//! How MongoDB's answers, and those that never come, are understood.

use std::io;
use std::time::Duration;

use common::BoxError;
use common::store::StoreError;
use mongodb::error::{Error, ErrorKind, WriteFailure};

/// How long an answer may take. The driver itself would wait for a frozen server as long as its connection stands.
const PATIENCE: Duration = Duration::from_secs(5);
/// What the server itself ends.
pub(super) const SERVER_LIMIT: Duration = Duration::from_secs(4);

/// A duplicate key.
const DUPLICATE: i32 = 11000;
/// `OutOfDiskSpace`.
const DISK_FULL: i32 = 14031;
/// The server that was asked is not the one that writes: nothing was done. (`NotWritablePrimary`,
/// `NotPrimaryNoSecondaryOk`, `NotPrimaryOrSecondary`.)
const ELSEWHERE: [i32; 3] = [10107, 13435, 13436];
/// The server gave up: `HostUnreachable`, `HostNotFound`, `MaxTimeMSExpired`, `NetworkTimeout`, `ShutdownInProgress`,
/// `PrimarySteppedDown`, `ExceededTimeLimit`, `SocketException`, `InterruptedAtShutdown`,
/// `InterruptedDueToReplStateChange`.
/// <https://www.mongodb.com/docs/manual/reference/error-codes/>
const GAVE_UP: [i32; 10] = [6, 7, 50, 89, 91, 189, 262, 9001, 11600, 11602];

/// The answer to something that only reads.
pub(super) async fn read<T>(question: impl IntoFuture<Output = Result<T, Error>>) -> Result<T, StoreError> {
    match tokio::time::timeout(PATIENCE, question).await {
        Ok(answer) => answer.map_err(|error| understand(error, StoreError::Unavailable)),
        Err(late) => Err(StoreError::Unavailable(late.into())),
    }
}

/// The answer to something that writes: if none comes, it may have been done.
pub(super) async fn write<T>(order: impl IntoFuture<Output = Result<T, Error>>) -> Result<T, StoreError> {
    match tokio::time::timeout(PATIENCE, order).await {
        Ok(answer) => answer.map_err(|error| understand(error, StoreError::OutcomeUnknown)),
        Err(late) => Err(StoreError::OutcomeUnknown(late.into())),
    }
}

fn understand(error: Error, lost: fn(BoxError) -> StoreError) -> StoreError {
    match &*error.kind {
        ErrorKind::Write(WriteFailure::WriteError(refusal)) => match refusal.code {
            // The message holds the value that is there already, such as a person's address.
            DUPLICATE => StoreError::Unique { constraint: index(&refusal.message) },
            code => refused(code, error, lost),
        },
        ErrorKind::Command(refusal) => match refusal.code {
            DUPLICATE => StoreError::Unique { constraint: index(&refusal.message) },
            code => refused(code, error, lost),
        },
        // It is written, but not where it would outlive the server's loss.
        ErrorKind::Write(WriteFailure::WriteConcernError(_)) => StoreError::OutcomeUnknown(error.into()),
        ErrorKind::Io(cause) if cause.kind() != io::ErrorKind::ConnectionRefused => lost(error.into()),
        ErrorKind::Io(_)
        | ErrorKind::ServerSelection { .. }
        | ErrorKind::ConnectionPoolCleared { .. }
        | ErrorKind::DnsResolve { .. }
        | ErrorKind::Authentication { .. }
        | ErrorKind::Shutdown => StoreError::Unavailable(error.into()),
        ErrorKind::Bson(_) | ErrorKind::InvalidResponse { .. } => StoreError::Corrupt(error.to_string()),
        _ => StoreError::Fault(error.into()),
    }
}

fn refused(code: i32, error: Error, lost: fn(BoxError) -> StoreError) -> StoreError {
    if code == DISK_FULL {
        StoreError::DiskFull(error.into())
    } else if ELSEWHERE.contains(&code) {
        StoreError::Unavailable(error.into())
    } else if GAVE_UP.contains(&code) {
        lost(error.into())
    } else {
        StoreError::Fault(error.into())
    }
}

/// The index in `E11000 duplicate key error collection: users.users index: email dup key: { email: "…" }`.
fn index(message: &str) -> String {
    let named = message.split_once("index: ").and_then(|(_, rest)| rest.split_whitespace().next());
    named.unwrap_or("an index that is not named").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_told_and_not_the_value() {
        let message =
            "E11000 duplicate key error collection: users.users index: users_email dup key: { email: \"x@y.z\" }";
        assert_eq!(index(message), "users_email");
        assert!(!index("E11000 x@y.z").contains('@'));
    }

    #[test]
    fn a_lost_answer_to_a_write_leaves_its_outcome_open() {
        let lost = || Error::from(io::Error::from(io::ErrorKind::ConnectionReset));
        assert!(matches!(understand(lost(), StoreError::Unavailable), StoreError::Unavailable(_)));
        assert!(matches!(understand(lost(), StoreError::OutcomeUnknown), StoreError::OutcomeUnknown(_)));
        let refused = Error::from(io::Error::from(io::ErrorKind::ConnectionRefused));
        assert!(matches!(understand(refused, StoreError::OutcomeUnknown), StoreError::Unavailable(_)));
    }
}
