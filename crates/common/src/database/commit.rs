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
    if let Some(InboxRecord { consumer, event_id }) = effects.inbox
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
    let event_type = event.event.event_type().as_str();
    let insert = connection.insert_event(&aggregate_id, |insert| {
        insert
            .bind(event.id)
            .bind(event_type)
            .bind(SCHEMA_VERSION)
            .bind(service)
            .bind(event.at)
            .bind(data.get())
            .bind(&event.traceparent)
    });
    insert.await
}
