//! Values as SQLite stores them, and how its transactions begin.

use chrono::{DateTime, Utc};

use crate::database::store::StoreError;

/// Takes the write lock from the start.
pub(crate) const BEGIN: &str = "BEGIN IMMEDIATE";

/// A time as it is stored: milliseconds since 1970.
#[must_use]
pub fn ms(time: DateTime<Utc>) -> i64 {
    time.timestamp_millis()
}

/// A stored time.
///
/// # Errors
/// If it is out of range.
pub fn from_ms(millis: i64) -> Result<DateTime<Utc>, StoreError> {
    DateTime::from_timestamp_millis(millis).ok_or_else(|| StoreError::Corrupt(format!("{millis} is no time")))
}
