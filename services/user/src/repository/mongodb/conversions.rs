//! Conversions between BSON and the domain.

use chrono::{DateTime, Utc};
use common::database::store::StoreError;
use mongodb::bson::{self, Bson, Document};

/// Returns a time as stored, in milliseconds.
pub(super) fn to_bson_time(time: DateTime<Utc>) -> bson::DateTime {
    bson::DateTime::from_millis(time.timestamp_millis())
}

pub(super) fn from_bson_time(time: bson::DateTime) -> Result<DateTime<Utc>, StoreError> {
    let millis = time.timestamp_millis();
    DateTime::from_timestamp_millis(millis).ok_or_else(|| decode_error(&format!("`{millis}` is not a valid time")))
}

/// Returns a field that holds a number of either width.
pub(super) fn integer(document: &Document, field: &str) -> Option<i64> {
    document.get(field).and_then(|value| value.as_i32().map(i64::from).or(value.as_i64()))
}

/// Returns the documents in an array field.
pub(super) fn embedded<'a>(document: &'a Document, field: &str) -> impl Iterator<Item = &'a Document> {
    document.get_array(field).into_iter().flatten().filter_map(Bson::as_document)
}

pub(super) fn decode_error(error: &impl ToString) -> StoreError {
    StoreError::Decode(error.to_string())
}

pub(super) fn encode_error(error: bson::error::Error) -> StoreError {
    StoreError::Internal(error.into())
}
