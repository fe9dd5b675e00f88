//! Encodings of values that SQLite has no type for.

use chrono::{DateTime, Utc};

use crate::database::store::StoreError;

/// Converts a time to its stored form: milliseconds since 1970.
#[must_use]
pub(crate) fn to_millis(time: DateTime<Utc>) -> i64 {
    time.timestamp_millis()
}

/// Converts a stored time.
///
/// # Errors
/// If it is out of range.
pub(crate) fn from_millis(millis: i64) -> Result<DateTime<Utc>, StoreError> {
    DateTime::from_timestamp_millis(millis).ok_or_else(|| StoreError::Decode(format!("{millis} is not a valid time")))
}
