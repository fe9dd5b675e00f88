//! Timeouts of MongoDB calls and mapping of their errors.

use std::io;
use std::time::Duration;

use common::BoxError;
use common::database::store::StoreError;
use mongodb::error::{Error, ErrorKind, WriteFailure};

/// Timeout of a call. The driver itself waits for a frozen server as long as the connection is open.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Timeout after which the server itself ends an operation.
pub(super) const SERVER_TIMEOUT: Duration = Duration::from_secs(4);

/// Code of a duplicate key.
const DUPLICATE_KEY: i32 = 11000;
/// Code of a full disk (`OutOfDiskSpace`).
const DISK_FULL: i32 = 14031;
/// Codes of a server that is not the primary; nothing was changed. (`NotWritablePrimary`, `NotPrimaryNoSecondaryOk`,
/// `NotPrimaryOrSecondary`.)
const NOT_PRIMARY_CODES: [i32; 3] = [10107, 13435, 13436];
/// Codes of an operation aborted by the server: `HostUnreachable`, `HostNotFound`, `MaxTimeMSExpired`, `NetworkTimeout`,
/// `ShutdownInProgress`, `PrimarySteppedDown`, `ExceededTimeLimit`, `SocketException`, `InterruptedAtShutdown`,
/// `InterruptedDueToReplStateChange`.
/// <https://www.mongodb.com/docs/manual/reference/error-codes/>
const ABORTED_CODES: [i32; 10] = [6, 7, 50, 89, 91, 189, 262, 9001, 11600, 11602];

/// Runs a read of the database.
pub(super) async fn run_read<T>(read: impl IntoFuture<Output = Result<T, Error>>) -> Result<T, StoreError> {
    match tokio::time::timeout(TIMEOUT, read).await {
        Ok(response) => response.map_err(|error| map_error(error, StoreError::Unavailable)),
        Err(timed_out) => Err(StoreError::Unavailable(timed_out.into())),
    }
}

/// Runs a write, whose outcome is unknown if no response arrives.
pub(super) async fn run_write<T>(write: impl IntoFuture<Output = Result<T, Error>>) -> Result<T, StoreError> {
    match tokio::time::timeout(TIMEOUT, write).await {
        Ok(response) => response.map_err(|error| map_error(error, StoreError::OutcomeUnknown)),
        Err(timed_out) => Err(StoreError::OutcomeUnknown(timed_out.into())),
    }
}

/// Maps an error of the driver; `lost` maps a lost response.
fn map_error(error: Error, lost: fn(BoxError) -> StoreError) -> StoreError {
    match &*error.kind {
        ErrorKind::Write(WriteFailure::WriteError(failure)) => match failure.code {
            // The message contains the duplicate value, such as a person's address.
            DUPLICATE_KEY => StoreError::Unique { constraint: index_name(&failure.message) },
            code => map_code(code, error, lost),
        },
        ErrorKind::Command(failure) => match failure.code {
            DUPLICATE_KEY => StoreError::Unique { constraint: index_name(&failure.message) },
            code => map_code(code, error, lost),
        },
        // The write was applied, but does not survive the loss of the server.
        ErrorKind::Write(WriteFailure::WriteConcernError(_)) => StoreError::OutcomeUnknown(error.into()),
        ErrorKind::Io(cause) if cause.kind() != io::ErrorKind::ConnectionRefused => lost(error.into()),
        ErrorKind::Io(_)
        | ErrorKind::ServerSelection { .. }
        | ErrorKind::ConnectionPoolCleared { .. }
        | ErrorKind::DnsResolve { .. }
        | ErrorKind::Authentication { .. }
        | ErrorKind::Shutdown => StoreError::Unavailable(error.into()),
        ErrorKind::Bson(_) | ErrorKind::InvalidResponse { .. } => StoreError::Decode(error.to_string()),
        _ => StoreError::Internal(error.into()),
    }
}

fn map_code(code: i32, error: Error, lost: fn(BoxError) -> StoreError) -> StoreError {
    if code == DISK_FULL {
        StoreError::DiskFull(error.into())
    } else if NOT_PRIMARY_CODES.contains(&code) {
        StoreError::Unavailable(error.into())
    } else if ABORTED_CODES.contains(&code) {
        lost(error.into())
    } else {
        StoreError::Internal(error.into())
    }
}

/// Returns the index in `E11000 duplicate key error collection: users.users index: email dup key: { email: "…" }`.
fn index_name(message: &str) -> String {
    let named = message.split_once("index: ").and_then(|(_, rest)| rest.split_whitespace().next());
    named.unwrap_or("unnamed index").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicate_key_reports_the_index_without_the_value() {
        let message =
            "E11000 duplicate key error collection: users.users index: users_email dup key: { email: \"x@y.z\" }";
        assert_eq!(index_name(message), "users_email");
        assert!(!index_name("E11000 x@y.z").contains('@'));
    }

    #[test]
    fn lost_response_to_a_write_leaves_the_outcome_unknown() {
        let lost = || Error::from(io::Error::from(io::ErrorKind::ConnectionReset));
        assert!(matches!(map_error(lost(), StoreError::Unavailable), StoreError::Unavailable(_)));
        assert!(matches!(map_error(lost(), StoreError::OutcomeUnknown), StoreError::OutcomeUnknown(_)));
        let rejected = Error::from(io::Error::from(io::ErrorKind::ConnectionRefused));
        assert!(matches!(map_error(rejected, StoreError::OutcomeUnknown), StoreError::Unavailable(_)));
    }
}
