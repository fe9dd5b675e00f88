//! Outbox in a service's database.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use contracts::api::OutboxState;
use contracts::{Envelope, EventId};
use serde_json::value::RawValue;

use super::{Outbox, OutboxRow, OutboxStore};
use crate::database::handle::Database;
use crate::database::lease_end::lease_end;
use crate::database::query::query;
use crate::database::row::Row;
use crate::database::statement::Statement;
use crate::database::store::StoreError;

/// Claims events: until when, from when, how many.
pub static CLAIM: Statement = Statement::new(|db| {
    let due = format!(
        "SELECT seq FROM outbox WHERE claimed_until <= $2 ORDER BY seq LIMIT $3 {}",
        db.row_lock("FOR UPDATE SKIP LOCKED")
    );
    format!(
        "UPDATE outbox SET claimed_until = $1 WHERE seq {}
         RETURNING seq, id, event_type, schema_version, aggregate_id, sequence, service, at, data, traceparent",
        db.any(&due)
    )
});
/// Deletes events that were published.
pub static PUBLISHED: Statement = Statement::new(|db| format!("DELETE FROM outbox WHERE id {}", db.any("$1")));
/// Sets the time from which events can be claimed again.
pub static FAILED: Statement =
    Statement::new(|db| format!("UPDATE outbox SET claimed_until = $1 WHERE id {}", db.any("$2")));
/// Outbox in a database.
#[derive(Debug)]
struct SqlOutbox(Database);

impl Database {
    /// Returns the outbox: the events that wait to be published.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        Outbox::new(Arc::new(SqlOutbox(self.clone())), self.wake.clone())
    }
}

#[async_trait]
impl OutboxStore for SqlOutbox {
    async fn claim(&self, n: u32, lease: Duration, now: DateTime<Utc>) -> Result<Vec<OutboxRow>, StoreError> {
        let claim = query(&CLAIM).bind(lease_end(now, lease)).bind(now).bind(n);
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
        let retained_from = EventId::generate(before);
        let old = query("SELECT 1 FROM inbox WHERE event_id < $1 LIMIT 1").bind(retained_from);
        if old.fetch_optional(&mut self.0.reader().await?).await?.is_some() {
            let delete = query("DELETE FROM inbox WHERE event_id < $1").bind(retained_from);
            delete.execute(&mut self.0.writer().await?).await?;
        }
        Ok(())
    }
}

fn read(row: &Row) -> Result<OutboxRow, StoreError> {
    let data = RawValue::from_string(row.get("data")?).map_err(|error| StoreError::Decode(error.to_string()))?;
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
