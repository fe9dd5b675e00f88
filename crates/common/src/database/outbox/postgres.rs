//! Outbox and inbox in a service's PostgreSQL database.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use contracts::calls::OutboxState;
use contracts::event::SCHEMA_VERSION;
use contracts::{Envelope, EventId};
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::types::Uuid;
use sqlx::{PgConnection, Postgres, Row};

use super::{OutboxRow, OutboxStore};
use crate::database::idempotency;
use crate::database::lease_end::lease_end;
use crate::database::store::{Pool, StoreError};
use crate::database::transaction_effects::Effects;

/// Claims events: until when, from when, how many.
pub const CLAIM: &str = "UPDATE outbox SET claimed_until = $1 WHERE seq = ANY(ARRAY(
    SELECT seq FROM outbox WHERE claimed_until <= $2 ORDER BY seq LIMIT $3 FOR UPDATE SKIP LOCKED)) RETURNING *";
/// Removes events that were published.
pub const PUBLISHED: &str = "DELETE FROM outbox WHERE id = ANY($1)";

/// Writes the effects' rows within a transaction.
///
/// # Errors
/// [`StoreError::AlreadyHandled`] if the message was handled before, [`StoreError::LeaseLost`] if somebody else works
/// on the request's key: the transaction must not be committed then.
pub(crate) async fn write_effects(tx: &mut PgConnection, service: &str, effects: &Effects) -> Result<(), StoreError> {
    if let Some(handled) = &effects.consumed {
        // Waits for a transaction that handles the same message at this moment.
        let written = sqlx::query("INSERT INTO inbox (consumer, event_id) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(handled.consumer)
            .bind(handled.event_id.as_uuid())
            .execute(&mut *tx)
            .await?;
        if written.rows_affected() == 0 {
            return Err(StoreError::AlreadyHandled);
        }
    }
    if let Some(keyed) = &effects.idempotency {
        idempotency::postgres::write(&mut *tx, keyed).await?;
    }
    for new in &effects.events {
        let data = new.event.data().map_err(|error| StoreError::Internal(error.into()))?;
        sqlx::query(
            "WITH next AS (
                 INSERT INTO event_sequences AS known (aggregate_id, sequence) VALUES ($4, 1)
                 ON CONFLICT (aggregate_id) DO UPDATE SET sequence = known.sequence + 1 RETURNING sequence)
             INSERT INTO outbox (id, event_type, schema_version, aggregate_id, sequence, service, at, data, traceparent)
             SELECT $1, $2, $3, $4, next.sequence, $5, $6, $7, $8 FROM next",
        )
        .bind(new.id.as_uuid())
        .bind(new.event.event_type().as_str())
        .bind(i32::try_from(SCHEMA_VERSION).unwrap_or(i32::MAX))
        .bind(new.event.aggregate_id())
        .bind(service)
        .bind(new.at)
        .bind(data.get())
        .bind(&new.traceparent)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// The outbox in a PostgreSQL database.
#[derive(Clone)]
pub(crate) struct PostgresOutbox {
    pool: Pool<Postgres>,
}

impl PostgresOutbox {
    pub(crate) const fn new(pool: Pool<Postgres>) -> Self {
        Self { pool }
    }
}

fn bare(ids: &[EventId]) -> Vec<Uuid> {
    ids.iter().map(EventId::as_uuid).collect()
}

#[async_trait]
impl OutboxStore for PostgresOutbox {
    async fn claim(&self, n: u32, lease: Duration, now: DateTime<Utc>) -> Result<Vec<OutboxRow>, StoreError> {
        let rows = sqlx::query(CLAIM)
            .bind(lease_end(now, lease))
            .bind(now)
            .bind(i64::from(n))
            .fetch_all(&mut *self.pool.acquire().await?)
            .await?;
        let mut claimed = Vec::with_capacity(rows.len());
        for row in &rows {
            let seq: i64 = row.try_get("seq")?;
            match read(row) {
                Ok(event) => claimed.push((seq, event)),
                Err(error) => {
                    let retry_at = super::unreadable(seq, row.try_get("at").ok(), &error, now);
                    sqlx::query("UPDATE outbox SET claimed_until = $1 WHERE seq = $2")
                        .bind(retry_at)
                        .bind(seq)
                        .execute(&mut *self.pool.acquire().await?)
                        .await?;
                }
            }
        }
        claimed.sort_unstable_by_key(|(seq, _)| *seq);
        Ok(claimed.into_iter().map(|(_, row)| row).collect())
    }

    async fn mark_published(&self, ids: &[EventId]) -> Result<(), StoreError> {
        let delete = sqlx::query(PUBLISHED);
        delete.bind(bare(ids)).execute(&mut *self.pool.acquire().await?).await?;
        Ok(())
    }

    async fn mark_failed(&self, ids: &[EventId], retry_at: DateTime<Utc>) -> Result<(), StoreError> {
        let update = sqlx::query("UPDATE outbox SET claimed_until = $1 WHERE id = ANY($2)");
        update.bind(retry_at).bind(bare(ids)).execute(&mut *self.pool.acquire().await?).await?;
        Ok(())
    }

    async fn state(&self, now: DateTime<Utc>) -> Result<OutboxState, StoreError> {
        let (pending, oldest): (i64, Option<DateTime<Utc>>) =
            sqlx::query_as("SELECT count(*), min(at) FROM outbox").fetch_one(&mut *self.pool.acquire().await?).await?;
        let age = oldest.map_or(0, |oldest| (now - oldest).num_seconds().max(0));
        Ok(OutboxState {
            pending: u64::try_from(pending).unwrap_or_default(),
            oldest_seconds: u64::try_from(age).unwrap_or_default(),
        })
    }

    async fn forget_handled(&self, before: DateTime<Utc>) -> Result<(), StoreError> {
        // Event ids begin with their time (UUID version 7), so the oldest are those that sort first.
        let delete = sqlx::query("DELETE FROM inbox WHERE event_id < $1");
        delete.bind(EventId::generate(before).as_uuid()).execute(&mut *self.pool.acquire().await?).await?;
        Ok(())
    }
}

fn read(row: &PgRow) -> Result<OutboxRow, StoreError> {
    let corrupt = |error: &dyn std::fmt::Display| StoreError::Decode(error.to_string());
    Ok(OutboxRow {
        envelope: Envelope {
            id: EventId::from_uuid(row.try_get("id")?),
            event_type: row.try_get("event_type")?,
            schema_version: u32::try_from(row.try_get::<i32, _>("schema_version")?).map_err(|error| corrupt(&error))?,
            aggregate_id: row.try_get("aggregate_id")?,
            sequence: row.try_get("sequence")?,
            service: row.try_get("service")?,
            timestamp: row.try_get("at")?,
            data: RawValue::from_string(row.try_get("data")?).map_err(|error| corrupt(&error))?,
        },
        traceparent: row.try_get("traceparent")?,
    })
}
