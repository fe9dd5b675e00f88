//! Outbox and inbox in a service's database.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use contracts::calls::OutboxState;
use contracts::event::SCHEMA_VERSION;
use contracts::{Envelope, EventId};
use serde_json::value::RawValue;

use super::{OutboxRow, OutboxStore};
use crate::database::{Connection, Database, Row, Statement, query};
use crate::effects::{Effects, Handled, NewEvent};
use crate::idempotency;
use crate::postgres::after;
use crate::store::StoreError;

/// Claims events: until when, from when, how many.
pub static CLAIM: Statement = Statement::new(|db| {
    let due = format!("SELECT seq FROM outbox WHERE claimed_until <= $2 ORDER BY seq LIMIT $3 {}", db.skip_locked());
    format!(
        "UPDATE outbox SET claimed_until = $1 WHERE seq {}
         RETURNING seq, id, event_type, schema_version, aggregate_id, sequence, service, at, data, traceparent",
        db.any(&due)
    )
});
/// Looks for an event that can be claimed. Most of the time there is none, and the writer of a SQLite file is left alone.
pub const CLAIMABLE: &str = "SELECT 1 FROM outbox WHERE claimed_until <= $1 ORDER BY seq LIMIT 1";
/// Deletes events that were published.
pub static PUBLISHED: Statement = Statement::new(|db| format!("DELETE FROM outbox WHERE id {}", db.any("$1")));
/// Sets the time from which events can be claimed again.
pub static FAILED: Statement =
    Statement::new(|db| format!("UPDATE outbox SET claimed_until = $1 WHERE id {}", db.any("$2")));
/// Records a message as handled.
const HANDLED: &str = "INSERT INTO inbox (consumer, event_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
/// Takes the next number of an aggregate's events.
const NEXT_SEQUENCE: &str = "INSERT INTO event_sequences (aggregate_id, sequence) VALUES ($1, 1)
    ON CONFLICT (aggregate_id) DO UPDATE SET sequence = event_sequences.sequence + 1 RETURNING sequence";
const INSERT: &str =
    "INSERT INTO outbox (id, event_type, schema_version, aggregate_id, sequence, service, at, data, traceparent)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

/// Writes the rows of effects within a transaction.
///
/// # Errors
/// [`StoreError::AlreadyHandled`] if the message was handled before, [`StoreError::LeaseLost`] if another attempt works
/// on the request's key: the transaction must not be committed then.
pub(crate) async fn write_effects(
    connection: &mut Connection,
    service: &str,
    effects: &Effects,
) -> Result<(), StoreError> {
    // The insertion waits for a transaction that handles the same message at this moment.
    if let Some(Handled { consumer, event_id }) = effects.handled
        && query(HANDLED).bind(consumer).bind(event_id).execute(connection).await? == 0
    {
        return Err(StoreError::AlreadyHandled);
    }
    if let Some(keyed) = &effects.keyed {
        idempotency::sql::write(connection, keyed).await?;
    }
    for new in &effects.events {
        insert(connection, service, new).await?;
    }
    Ok(())
}

async fn insert(connection: &mut Connection, service: &str, new: &NewEvent) -> Result<(), StoreError> {
    let aggregate_id = new.event.aggregate_id();
    let data = new.event.data().map_err(|error| StoreError::Fault(error.into()))?;
    let sequence: i64 = query(NEXT_SEQUENCE).bind(&aggregate_id).fetch_scalar(connection).await?;
    query(INSERT)
        .bind(new.id)
        .bind(new.event.event_type().as_str())
        .bind(SCHEMA_VERSION)
        .bind(&aggregate_id)
        .bind(sequence)
        .bind(service)
        .bind(new.at)
        .bind(data.get())
        .bind(&new.traceparent)
        .execute(connection)
        .await?;
    Ok(())
}

/// The outbox in a database.
#[derive(Debug)]
pub(crate) struct SqlOutbox(Database);

impl SqlOutbox {
    pub(crate) const fn new(db: Database) -> Self {
        Self(db)
    }
}

#[async_trait]
impl OutboxStore for SqlOutbox {
    async fn claim(&self, n: u32, lease: Duration, now: DateTime<Utc>) -> Result<Vec<OutboxRow>, StoreError> {
        if query(CLAIMABLE).bind(now).fetch_optional(&mut self.0.reader().await?).await?.is_none() {
            return Ok(Vec::new());
        }
        let claim = query(&CLAIM).bind(after(now, lease)).bind(now).bind(n);
        let rows = claim.fetch_all(&mut self.0.writer().await?).await?;
        let mut claimed = Vec::with_capacity(rows.len());
        for row in &rows {
            let seq: i64 = row.get("seq")?;
            match read(row) {
                Ok(event) => claimed.push((seq, event)),
                Err(error) => {
                    let retry_at = super::unreadable(seq, row.get("at").ok(), &error, now);
                    query("UPDATE outbox SET claimed_until = $1 WHERE seq = $2")
                        .bind(retry_at)
                        .bind(seq)
                        .execute(&mut self.0.writer().await?)
                        .await?;
                }
            }
        }
        claimed.sort_unstable_by_key(|(seq, _)| *seq);
        Ok(claimed.into_iter().map(|(_, row)| row).collect())
    }

    async fn mark_published(&self, ids: &[EventId]) -> Result<(), StoreError> {
        if !ids.is_empty() {
            query(&PUBLISHED).bind(ids).execute(&mut self.0.writer().await?).await?;
        }
        Ok(())
    }

    async fn mark_failed(&self, ids: &[EventId], retry_at: DateTime<Utc>) -> Result<(), StoreError> {
        if !ids.is_empty() {
            query(&FAILED).bind(retry_at).bind(ids).execute(&mut self.0.writer().await?).await?;
        }
        Ok(())
    }

    async fn state(&self, now: DateTime<Utc>) -> Result<OutboxState, StoreError> {
        let state = query("SELECT count(*), min(at) FROM outbox").fetch_one(&mut self.0.reader().await?).await?;
        let (pending, oldest): (i64, Option<DateTime<Utc>>) = (state.get(0)?, state.get(1)?);
        let age = oldest.map_or(0, |oldest| (now - oldest).num_seconds().max(0));
        Ok(OutboxState {
            pending: u64::try_from(pending).unwrap_or_default(),
            oldest_seconds: u64::try_from(age).unwrap_or_default(),
        })
    }

    async fn forget_handled(&self, before: DateTime<Utc>) -> Result<(), StoreError> {
        // Event ids begin with their time (UUID version 7), so that the oldest sort first.
        let oldest_kept = EventId::generate(before);
        let old = query("SELECT 1 FROM inbox WHERE event_id < $1 LIMIT 1").bind(oldest_kept);
        if old.fetch_optional(&mut self.0.reader().await?).await?.is_some() {
            let delete = query("DELETE FROM inbox WHERE event_id < $1").bind(oldest_kept);
            delete.execute(&mut self.0.writer().await?).await?;
        }
        Ok(())
    }
}

fn read(row: &Row) -> Result<OutboxRow, StoreError> {
    let data = RawValue::from_string(row.get("data")?).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    Ok(OutboxRow {
        envelope: Envelope {
            id: row.get("id")?,
            event_type: row.get("event_type")?,
            schema_version: row.get("schema_version")?,
            aggregate_id: row.get("aggregate_id")?,
            sequence: row.get("sequence")?,
            service: row.get("service")?,
            timestamp: row.get("at")?,
            data,
        },
        traceparent: row.get("traceparent")?,
    })
}
