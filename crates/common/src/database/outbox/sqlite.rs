//! Outbox and inbox in a service's SQLite file.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use contracts::calls::OutboxState;
use contracts::event::SCHEMA_VERSION;
use contracts::{Envelope, EventId};
use serde_json::value::RawValue;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use super::{OutboxRow, OutboxStore};
use crate::database::codec::{from_millis as from_ms, to_millis as ms};
use crate::database::effects::Effects;
use crate::database::idempotency;
use crate::database::store::parse_col;
use crate::database::store::{Pool, StoreError};

/// Writes the effects' rows within a transaction.
///
/// # Errors
/// [`StoreError::AlreadyHandled`] if the message was handled before, [`StoreError::LeaseLost`] if somebody else works
/// on the request's key: the transaction must not be committed then.
pub(crate) async fn write_effects(
    tx: &mut SqliteConnection,
    service: &str,
    effects: &Effects,
) -> Result<(), StoreError> {
    if let Some(handled) = &effects.handled {
        let written = sqlx::query("INSERT INTO inbox (consumer, event_id) VALUES (?, ?) ON CONFLICT DO NOTHING")
            .bind(handled.consumer)
            .bind(handled.event_id.to_string())
            .execute(&mut *tx)
            .await?;
        if written.rows_affected() == 0 {
            return Err(StoreError::AlreadyHandled);
        }
    }
    if let Some(keyed) = &effects.keyed {
        idempotency::sqlite::write(&mut *tx, keyed).await?;
    }
    for new in &effects.events {
        let aggregate_id = new.event.aggregate_id();
        let data = new.event.data().map_err(|error| StoreError::Fault(error.into()))?;
        let sequence: i64 = sqlx::query_scalar(
            "INSERT INTO event_sequences (aggregate_id, sequence) VALUES (?, 1)
             ON CONFLICT (aggregate_id) DO UPDATE SET sequence = sequence + 1 RETURNING sequence",
        )
        .bind(&aggregate_id)
        .fetch_one(&mut *tx)
        .await?;
        sqlx::query(
            "INSERT INTO outbox (id, event_type, schema_version, aggregate_id, sequence, service, at, data, traceparent)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(new.id.to_string())
        .bind(new.event.event_type().as_str())
        .bind(SCHEMA_VERSION)
        .bind(aggregate_id)
        .bind(sequence)
        .bind(service)
        .bind(ms(new.at))
        .bind(data.get())
        .bind(&new.traceparent)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// The outbox in a SQLite file.
#[derive(Clone)]
pub(crate) struct SqliteOutbox {
    read: Pool<Sqlite>,
    write: Pool<Sqlite>,
}

impl SqliteOutbox {
    pub(crate) const fn new(read: Pool<Sqlite>, write: Pool<Sqlite>) -> Self {
        Self { read, write }
    }

    async fn write(&self, mut query: QueryBuilder<Sqlite>, ids: &[EventId]) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        query.push(" WHERE id IN (");
        let mut list = query.separated(", ");
        for id in ids {
            list.push_bind(id.to_string());
        }
        query.push(")");
        query.build().execute(&mut *self.write.acquire().await?).await?;
        Ok(())
    }
}

#[async_trait]
impl OutboxStore for SqliteOutbox {
    async fn claim(&self, n: u32, lease: Duration, now: DateTime<Utc>) -> Result<Vec<OutboxRow>, StoreError> {
        let waiting = "SELECT 1 FROM outbox WHERE claimed_until <= ? LIMIT 1";
        if sqlx::query(waiting).bind(ms(now)).fetch_optional(&mut *self.read.acquire().await?).await?.is_none() {
            return Ok(Vec::new());
        }
        let until = ms(now).saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX));
        let rows = sqlx::query(
            "UPDATE outbox SET claimed_until = ? WHERE seq IN (
                 SELECT seq FROM outbox WHERE claimed_until <= ? ORDER BY seq LIMIT ?)
             RETURNING *",
        )
        .bind(until)
        .bind(ms(now))
        .bind(n)
        .fetch_all(&mut *self.write.acquire().await?)
        .await?;
        let mut claimed = Vec::with_capacity(rows.len());
        for row in &rows {
            let seq: i64 = row.try_get("seq")?;
            match read(row) {
                Ok(event) => claimed.push((seq, event)),
                Err(error) => {
                    let happened = row.try_get("at").map_err(StoreError::from).and_then(from_ms);
                    let retry_at = super::unreadable(seq, happened.ok(), &error, now);
                    sqlx::query("UPDATE outbox SET claimed_until = ? WHERE seq = ?")
                        .bind(ms(retry_at))
                        .bind(seq)
                        .execute(&mut *self.write.acquire().await?)
                        .await?;
                }
            }
        }
        claimed.sort_unstable_by_key(|(seq, _)| *seq);
        Ok(claimed.into_iter().map(|(_, row)| row).collect())
    }

    async fn mark_published(&self, ids: &[EventId]) -> Result<(), StoreError> {
        self.write(QueryBuilder::new("DELETE FROM outbox"), ids).await
    }

    async fn mark_failed(&self, ids: &[EventId], retry_at: DateTime<Utc>) -> Result<(), StoreError> {
        let mut query = QueryBuilder::new("UPDATE outbox SET claimed_until = ");
        query.push_bind(ms(retry_at));
        self.write(query, ids).await
    }

    async fn state(&self, now: DateTime<Utc>) -> Result<OutboxState, StoreError> {
        let (pending, oldest): (i64, Option<i64>) =
            sqlx::query_as("SELECT count(*), min(at) FROM outbox").fetch_one(&mut *self.read.acquire().await?).await?;
        let age = oldest.map_or(0, |oldest| (ms(now) - oldest).max(0) / 1000);
        Ok(OutboxState {
            pending: u64::try_from(pending).unwrap_or_default(),
            oldest_seconds: u64::try_from(age).unwrap_or_default(),
        })
    }

    async fn forget_handled(&self, before: DateTime<Utc>) -> Result<(), StoreError> {
        // Event ids begin with their time (UUID version 7), so the oldest are those that sort first.
        let oldest_kept = EventId::generate(before).to_string();
        let old = sqlx::query("SELECT 1 FROM inbox WHERE event_id < ? LIMIT 1").bind(&oldest_kept);
        if old.fetch_optional(&mut *self.read.acquire().await?).await?.is_some() {
            sqlx::query("DELETE FROM inbox WHERE event_id < ?")
                .bind(oldest_kept)
                .execute(&mut *self.write.acquire().await?)
                .await?;
        }
        Ok(())
    }
}

fn read(row: &SqliteRow) -> Result<OutboxRow, StoreError> {
    let data = RawValue::from_string(row.try_get("data")?).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    Ok(OutboxRow {
        envelope: Envelope {
            id: parse_col(row.try_get("id")?, "event id")?,
            event_type: row.try_get("event_type")?,
            schema_version: row.try_get("schema_version")?,
            aggregate_id: row.try_get("aggregate_id")?,
            sequence: row.try_get("sequence")?,
            service: row.try_get("service")?,
            timestamp: from_ms(row.try_get("at")?)?,
            data,
        },
        traceparent: row.try_get("traceparent")?,
    })
}
