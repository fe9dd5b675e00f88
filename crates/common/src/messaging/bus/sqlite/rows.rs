//! Rows of the bus as messages.

use chrono::{DateTime, Utc};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::database::from_millis;
use crate::database::store::parse_col;
use crate::messaging::bus::message::{BusError, Message};

pub(super) fn message(row: &SqliteRow) -> Result<Message, BusError> {
    Ok(Message {
        id: parse_col(row.try_get("event_id")?, "event id")?,
        event_type: row.try_get("event_type")?,
        exchange: row.try_get("exchange")?,
        body: row.try_get::<Vec<u8>, _>("body")?.into(),
        app_id: row.try_get("app_id")?,
        timestamp: time(row, "at")?,
        traceparent: row.try_get("traceparent")?,
        mandatory: row.try_get("mandatory")?,
    })
}

pub(super) fn time(row: &SqliteRow, column: &str) -> Result<DateTime<Utc>, BusError> {
    Ok(from_millis(row.try_get(column)?)?)
}
