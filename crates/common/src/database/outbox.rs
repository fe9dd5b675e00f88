//! Outbox: events that were committed with the data and wait to be published.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use contracts::api::OutboxState;
use contracts::{Envelope, EventId};
use tokio::sync::Notify;

use crate::database::store::{StoreError, StoreMetrics};

pub mod sql;

/// Minimum and maximum delay before an event that the bus rejects is published again.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// Event that waits to be published.
#[derive(Clone, Debug)]
pub struct OutboxRow {
    /// Event as it is published.
    pub envelope: Envelope,
    /// Trace context of the event.
    pub traceparent: Option<String>,
}

crate::repository_trait! {
    /// Port of the outbox.
    pub trait OutboxStore, instrumented as "outbox" by InstrumentedOutboxStore {
        /// Claims up to `n` unclaimed events, oldest first, until `now + lease`. An unreadable row is skipped, logged,
        /// and retried later.
        async fn claim(&self, n: u32, lease: Duration, now: DateTime<Utc>) -> Result<Vec<OutboxRow>, StoreError>;
        /// Deletes published events, so personal data in them is stored no longer than necessary.
        async fn mark_published(&self, ids: &[EventId]) -> Result<(), StoreError>;
        /// Releases events for another attempt at `retry_at`.
        async fn mark_failed(&self, ids: &[EventId], retry_at: DateTime<Utc>) -> Result<(), StoreError>;
        /// Returns the number of pending events and the age of the oldest one.
        async fn state(&self, now: DateTime<Utc>) -> Result<OutboxState, StoreError>;
        /// Deletes inbox records that are older than `before`.
        async fn forget_handled(&self, before: DateTime<Utc>) -> Result<(), StoreError>;
    }
}

/// Outbox of a service. Clones share it.
#[derive(Clone)]
pub struct Outbox {
    store: Arc<dyn OutboxStore>,
    wake: Arc<Notify>,
}

impl Outbox {
    /// Creates the outbox over `store`; `wake` is notified after each commit that wrote to it.
    #[must_use]
    pub fn new(store: Arc<dyn OutboxStore>, wake: Arc<Notify>) -> Self {
        Self { store, wake }
    }

    /// Returns the same outbox with an instrumented store.
    #[must_use]
    pub fn measured(self, operations: &StoreMetrics) -> Self {
        Self { store: Arc::new(InstrumentedOutboxStore::new(self.store, operations.clone())), ..self }
    }

    /// Returns the notification that follows each commit that wrote to the outbox.
    pub(crate) fn wake(&self) -> Arc<Notify> {
        self.wake.clone()
    }

    /// Returns the store.
    #[must_use]
    pub fn store(&self) -> Arc<dyn OutboxStore> {
        self.store.clone()
    }

    /// Returns the number of pending events and the age of the oldest one.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn state(&self, now: DateTime<Utc>) -> Result<OutboxState, StoreError> {
        self.store.state(now).await
    }
}

/// Returns the time of the next attempt for an event: its delay equals its age, so delays double.
pub(crate) fn retry_at(at: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    now + (now - at).to_std().unwrap_or_default().clamp(FIRST_RETRY, LONGEST_RETRY)
}

/// Logs an unreadable row and returns the time of the next attempt.
fn unreadable(seq: i64, at: Option<DateTime<Utc>>, error: &StoreError, now: DateTime<Utc>) -> DateTime<Utc> {
    let error = crate::error_chain(error);
    tracing::error!(seq, error, "outbox row not decoded; retrying later");
    retry_at(at.unwrap_or_default(), now)
}
