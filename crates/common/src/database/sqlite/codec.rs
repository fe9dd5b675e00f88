//! Encoding of times in SQLite, and the start of its transactions.

use chrono::{DateTime, Utc};

use crate::database::store::StoreError;

/// Statement that begins a transaction with the write lock.
pub(crate) const BEGIN: &str = "BEGIN IMMEDIATE";

/// Encodes a time as milliseconds since 1970.
#[must_use]
pub fn ms(time: DateTime<Utc>) -> i64 {
    time.timestamp_millis()
}

/// Decodes a stored time.
///
/// # Errors
/// The time is out of range.
pub fn from_ms(millis: i64) -> Result<DateTime<Utc>, StoreError> {
    DateTime::from_timestamp_millis(millis).ok_or_else(|| StoreError::Corrupt(format!("{millis} is not a valid time")))
}
