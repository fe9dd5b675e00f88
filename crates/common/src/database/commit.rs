//! Commits with their effects.

use contracts::event::SCHEMA_VERSION;

use super::connection::{Connection, Tx};
use super::failpoints;
use super::handle::Database;
use super::idempotency;
use super::mail_queue;
use super::query::query;
use super::store::StoreError;
use super::transaction_effects::{Effects, InboxRecord, OutboxEvent};

/// Records a message as handled.
const HANDLED: &str = "INSERT INTO inbox (consumer, event_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
/// Takes the next number of an aggregate's events.
const NEXT_SEQUENCE: &str = "INSERT INTO event_sequences (aggregate_id, sequence) VALUES ($1, 1)
    ON CONFLICT (aggregate_id) DO UPDATE SET sequence = event_sequences.sequence + 1 RETURNING sequence";
/// Inserts an event.
const INSERT: &str =
    "INSERT INTO outbox (id, event_type, schema_version, aggregate_id, sequence, service, at, data, traceparent)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

impl Database {
    /// Writes the effects and commits, all or nothing. Wakes the relay if there is something to publish.
    ///
    /// # Errors
    /// [`StoreError::AlreadyHandled`] if the message was handled before, [`StoreError::LeaseLost`] if another attempt
    /// works on the request's key, [`StoreError::OutcomeUnknown`] if the connection was lost during the commit.
    pub async fn commit(&self, mut tx: Tx, effects: &Effects) -> Result<(), StoreError> {
        write(&mut tx, self.service, effects).await?;
        failpoints::hit("before-commit", || failpoints::describe_effects(self.service, effects));
        tx.commit().await?;
        failpoints::hit("after-commit", || failpoints::describe_effects(self.service, effects));
        if !effects.events.is_empty() {
            self.wake.notify_one();
        }
        Ok(())
    }
}

/// Writes the rows of effects. The transaction must not be committed after an error.
async fn write(connection: &mut Connection, service: &str, effects: &Effects) -> Result<(), StoreError> {
    // The insertion waits for a transaction that handles the same message at this moment.
    if let Some(InboxRecord { consumer, event_id }) = effects.consumed
        && query(HANDLED).bind(consumer).bind(event_id).execute(connection).await? == 0
    {
        return Err(StoreError::AlreadyHandled);
    }
    if let Some(update) = &effects.idempotency {
        idempotency::sql::write(connection, update).await?;
    }
    for event in &effects.events {
        insert(connection, service, event).await?;
    }
    for mail in &effects.mails {
        mail_queue::sql::insert(connection, mail).await?;
    }
    Ok(())
}

async fn insert(connection: &mut Connection, service: &str, event: &OutboxEvent) -> Result<(), StoreError> {
    let aggregate_id = event.event.aggregate_id();
    let data = event.event.data().map_err(|error| StoreError::Internal(error.into()))?;
    let sequence: i64 = query(NEXT_SEQUENCE).bind(&aggregate_id).fetch_scalar(connection).await?;
    query(INSERT)
        .bind(event.id)
        .bind(event.event.event_type().as_str())
        .bind(SCHEMA_VERSION)
        .bind(&aggregate_id)
        .bind(sequence)
        .bind(service)
        .bind(event.at)
        .bind(data.get())
        .bind(&event.traceparent)
        .execute(connection)
        .await?;
    Ok(())
}
