//! Errors of stores, the same for every adapter.

use std::str::FromStr;

use sqlx::error::DatabaseError;
#[cfg(feature = "postgres")]
use sqlx::postgres::PgDatabaseError;

use crate::BoxError;

mod instrumented;
mod pool;

pub use instrumented::StoreMetrics;
pub use pool::Pool;

/// Error of a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store is unavailable; nothing was changed.
    #[error("the store is unavailable")]
    Unavailable(#[source] BoxError),
    /// The store's disk is full; nothing was changed.
    #[error("the disk of the store is full")]
    DiskFull(#[source] BoxError),
    /// The connection was lost during the commit, which may have been done or not.
    #[error("the store was lost during a commit")]
    OutcomeUnknown(#[source] BoxError),
    /// The message was handled before; nothing was changed.
    #[error("the message was handled before")]
    AlreadyHandled,
    /// A value that must be unique exists already; nothing was changed.
    #[error("`{constraint}` must be unique")]
    Unique {
        /// Name of the constraint, or in SQLite its columns, such as `users.email`.
        constraint: String,
    },
    /// The lease expired and another attempt holds it; nothing was changed.
    #[error("the lease was lost")]
    LeaseLost,
    /// Other writers changed the same data at each attempt; nothing was changed.
    #[error("other writers kept changing the same data")]
    Contended,
    /// Store error: stored data is not valid.
    #[error("stored data is not valid: {0}")]
    Decode(String),
    /// The schema was changed in a way that this binary is too old for; nothing was changed.
    #[error(
        "the schema of `{component}` needs version {least} of the program or a newer one, and this one knows version \
         {known}: start a newer version, or restore a backup from before the upgrade"
    )]
    Incompatible {
        /// Component of the schema, such as `store`.
        component: String,
        /// Version of the component that this binary knows.
        known: i64,
        /// Oldest version that may use the schema.
        least: i64,
    },
    /// The statement or the schema is wrong: a defect of the program.
    #[error("the store rejected a statement")]
    Internal(#[source] BoxError),
}

impl StoreError {
    /// Returns `true` if the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Unavailable(_) | Self::DiskFull(_) | Self::OutcomeUnknown(_) | Self::LeaseLost | Self::Contended
        )
    }

    /// Returns `true` if the store or the program failed; `false` if a rule rejected the change.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        !matches!(self, Self::AlreadyHandled | Self::Unique { .. } | Self::LeaseLost | Self::Contended)
    }

    /// Returns the kind of the error, as telemetry shows it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::DiskFull(_) => "disk_full",
            Self::OutcomeUnknown(_) => "outcome_unknown",
            Self::AlreadyHandled => "already_handled",
            Self::Unique { .. } => "unique",
            Self::LeaseLost => "lease_lost",
            Self::Contended => "contended",
            Self::Decode(_) => "corrupt",
            Self::Incompatible { .. } => "incompatible",
            Self::Internal(_) => "fault",
        }
    }

    /// Returns the broken constraint, if the error is a violation of uniqueness.
    #[must_use]
    pub fn unique(&self) -> Option<&str> {
        match self {
            Self::Unique { constraint } => Some(constraint),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(source) if source.is_unique_violation() => {
                // SQLite names the columns in its message: "UNIQUE constraint failed: users.email".
                let message = source.message();
                let columns = message.rsplit_once("failed: ").map(|(_, columns)| columns.to_owned());
                let constraint = source.constraint().map(str::to_owned).or(columns);
                Self::Unique { constraint: constraint.unwrap_or_else(|| message.to_owned()) }
            }
            sqlx::Error::Database(source) if is_disk_full(&**source) => Self::DiskFull(error.into()),
            sqlx::Error::Database(source) if is_transient(&**source) => Self::Unavailable(error.into()),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::BeginFailed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error.into()),
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::Decode(error.to_string()),
            _ => Self::Internal(error.into()),
        }
    }
}

/// Returns `true` if the same statement may succeed later.
fn is_transient(error: &(dyn DatabaseError + 'static)) -> bool {
    let Some(code) = error.code() else { return false };
    if is_postgres(error) {
        // https://www.postgresql.org/docs/15/errcodes-appendix.html: 08 connection, 40 rolled back for serialisation or
        // a deadlock, 53 out of resources, 57 the operator (shutdown, a timeout), 55P03 a lock was not available.
        return matches!(&code[..2], "08" | "40" | "53" | "57") || code == "55P03";
    }
    // SQLITE_BUSY, SQLITE_LOCKED, SQLITE_NOMEM, SQLITE_READONLY, SQLITE_IOERR, SQLITE_CANTOPEN, SQLITE_PROTOCOL, with their
    // extended codes: https://www.sqlite.org/rescode.html
    sqlite_code(&code).is_some_and(|code| matches!(code, 5 | 6 | 7 | 8 | 10 | 14 | 15))
}

/// Returns `true` for an error of PostgreSQL, whose codes are others than SQLite's.
#[cfg(feature = "postgres")]
fn is_postgres(error: &(dyn DatabaseError + 'static)) -> bool {
    error.try_downcast_ref::<PgDatabaseError>().is_some()
}

#[cfg(not(feature = "postgres"))]
fn is_postgres(_error: &(dyn DatabaseError + 'static)) -> bool {
    false
}

/// Returns SQLite's primary result code of a code that may be extended.
pub(crate) fn sqlite_code(code: &str) -> Option<u32> {
    code.parse::<u32>().ok().map(|code| code & 0xff)
}

/// Returns `true` if the disk is full: `disk_full` of PostgreSQL, `SQLITE_FULL`.
fn is_disk_full(error: &(dyn DatabaseError + 'static)) -> bool {
    let Some(code) = error.code() else { return false };
    if is_postgres(error) {
        return code == "53100";
    }
    sqlite_code(&code) == Some(13)
}

/// Parses a value that is stored as text, such as an id or a status.
///
/// # Errors
/// If the text is not a valid `T`.
pub fn parse_col<T: FromStr>(text: &str, what: &'static str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Decode(format!("`{text}` is not a valid {what}")))
}
