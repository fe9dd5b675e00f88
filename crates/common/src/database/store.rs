//! Why a store refuses, the same for every adapter.

use std::str::FromStr;

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;

use crate::BoxError;

mod observed;
mod pool;

pub use observed::Operations;
pub use pool::Pool;

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store does not answer; nothing was changed.
    #[error("the store is unavailable")]
    Unavailable(#[source] BoxError),
    /// There is no room on the store's disk; nothing was changed.
    #[error("the disk of the store is full")]
    DiskFull(#[source] BoxError),
    /// The connection was lost during the commit: it may have been done or not.
    #[error("the store was lost during a commit")]
    OutcomeUnknown(#[source] BoxError),
    /// The message was handled before; nothing was changed.
    #[error("the message was handled before")]
    AlreadyHandled,
    /// A value that must be unique is there already; nothing was changed.
    #[error("`{constraint}` must be unique")]
    Unique {
        /// The constraint: its name, or for SQLite its columns, such as `users.email`.
        constraint: String,
    },
    /// The lease ran out and somebody else has it; nothing was changed.
    #[error("the lease was lost")]
    LeaseLost,
    /// What is stored cannot be read.
    #[error("stored data cannot be read: {0}")]
    Corrupt(String),
    /// The schema was changed in a way that this binary is too old for; nothing was changed.
    #[error(
        "the schema of `{component}` needs version {least} of the program or a newer one, and this one knows version \
         {known}: start a newer version, or restore a backup from before the upgrade"
    )]
    Incompatible {
        /// The component of the schema, such as `store`.
        component: String,
        /// The version of the component that this binary knows.
        known: i64,
        /// The oldest version that may use the schema.
        least: i64,
    },
    /// The statement or the schema is wrong: a fault of the program.
    #[error("the store refused a statement")]
    Fault(#[source] BoxError),
}

impl StoreError {
    /// Whether the same call may do better later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::DiskFull(_) | Self::OutcomeUnknown(_) | Self::LeaseLost)
    }

    /// Whether the store or the program failed, rather than that a rule was kept.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        !matches!(self, Self::AlreadyHandled | Self::Unique { .. } | Self::LeaseLost)
    }

    /// What kind it is, in a word.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::DiskFull(_) => "disk_full",
            Self::OutcomeUnknown(_) => "outcome_unknown",
            Self::AlreadyHandled => "already_handled",
            Self::Unique { .. } => "unique",
            Self::LeaseLost => "lease_lost",
            Self::Corrupt(_) => "corrupt",
            Self::Incompatible { .. } => "incompatible",
            Self::Fault(_) => "fault",
        }
    }

    /// The constraint that was broken, if it is one of uniqueness.
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
            sqlx::Error::Database(refusal) if refusal.is_unique_violation() => {
                // SQLite names the columns in its message: "UNIQUE constraint failed: users.email".
                let message = refusal.message();
                let columns = message.rsplit_once("failed: ").map(|(_, columns)| columns.to_owned());
                let constraint = refusal.constraint().map(str::to_owned).or(columns);
                Self::Unique { constraint: constraint.unwrap_or_else(|| message.to_owned()) }
            }
            sqlx::Error::Database(refusal) if is_disk_full(&**refusal) => Self::DiskFull(error.into()),
            sqlx::Error::Database(refusal) if is_transient(&**refusal) => Self::Unavailable(error.into()),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::BeginFailed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error.into()),
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::Corrupt(error.to_string()),
            _ => Self::Fault(error.into()),
        }
    }
}

/// Whether the same statement may do better later.
fn is_transient(refusal: &(dyn DatabaseError + 'static)) -> bool {
    let Some(code) = refusal.code() else { return false };
    if refusal.try_downcast_ref::<PgDatabaseError>().is_some() {
        // https://www.postgresql.org/docs/15/errcodes-appendix.html: 08 connection, 40 rolled back for serialisation or
        // a deadlock, 53 out of resources, 57 the operator (shutdown, a time-out), 55P03 a lock was not to be had.
        return matches!(&code[..2], "08" | "40" | "53" | "57") || code == "55P03";
    }
    // SQLITE_BUSY, SQLITE_LOCKED, SQLITE_NOMEM, SQLITE_READONLY, SQLITE_IOERR, SQLITE_CANTOPEN, SQLITE_PROTOCOL, with their
    // extended codes: https://www.sqlite.org/rescode.html
    sqlite_code(&code).is_some_and(|code| matches!(code, 5 | 6 | 7 | 8 | 10 | 14 | 15))
}

/// SQLite's primary result code, of an extended one too.
pub(crate) fn sqlite_code(code: &str) -> Option<u32> {
    code.parse::<u32>().ok().map(|code| code & 0xff)
}

/// Whether there is no room on the disk: `disk_full` of PostgreSQL, `SQLITE_FULL`.
fn is_disk_full(refusal: &(dyn DatabaseError + 'static)) -> bool {
    let Some(code) = refusal.code() else { return false };
    if refusal.try_downcast_ref::<PgDatabaseError>().is_some() {
        return code == "53100";
    }
    sqlite_code(&code) == Some(13)
}

/// A value that is stored as text, such as an id or a status.
///
/// # Errors
/// If the text is not one of the type's.
pub fn parse_col<T: FromStr>(text: &str, what: &'static str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Corrupt(format!("`{text}` is no {what}")))
}
