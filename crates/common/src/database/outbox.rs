//! The outbox: events that were committed with the data and wait to be published.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use contracts::calls::OutboxState;
use contracts::{Envelope, EventId};
use tokio::sync::Notify;

use crate::database::store::{Operations, StoreError};

pub mod postgres;
pub mod sqlite;

/// The first and the longest pause before an event is tried again that cannot be published for what it is.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// An event that waits to be published.
#[derive(Clone, Debug)]
pub struct OutboxRow {
    /// The event as it will travel.
    pub envelope: Envelope,
    /// The trace that it belongs to.
    pub traceparent: Option<String>,
}

crate::store_port! {
    /// What a store has to do for the relay.
    pub trait OutboxStore, observed as "outbox" by ObservedOutbox {
        /// Claims up to `n` events, oldest first, that nobody has claimed, until `now + lease`. A row that cannot be read
        /// is left out, logged, and tried again later.
        async fn claim(&self, n: u32, lease: Duration, now: DateTime<Utc>) -> Result<Vec<OutboxRow>, StoreError>;
        /// Removes them, since they were published: what is personal in them is kept no longer than it has to be.
        async fn mark_published(&self, ids: &[EventId]) -> Result<(), StoreError>;
        /// Gives them back, not before `retry_at`.
        async fn mark_failed(&self, ids: &[EventId], retry_at: DateTime<Utc>) -> Result<(), StoreError>;
        /// How many wait, and since when.
        async fn state(&self, now: DateTime<Utc>) -> Result<OutboxState, StoreError>;
        /// Forgets which messages were handled, of those that are older than `before`.
        async fn forget_handled(&self, before: DateTime<Utc>) -> Result<(), StoreError>;
    }
}

/// A service's outbox. Clones share it.
#[derive(Clone)]
pub struct Outbox {
    store: Arc<dyn OutboxStore>,
    wake: Arc<Notify>,
}

impl Outbox {
    /// The outbox in `store`; `wake` is notified after each commit that wrote to it.
    #[must_use]
    pub fn new(store: Arc<dyn OutboxStore>, wake: Arc<Notify>) -> Self {
        Self { store, wake }
    }

    /// The same outbox, whose store is measured.
    #[must_use]
    pub fn measured(self, operations: &Operations) -> Self {
        Self { store: ObservedOutbox::over(self.store, operations.clone()), ..self }
    }

    /// Returns the notification that follows each commit that wrote to the outbox.
    pub(crate) fn wake(&self) -> Arc<Notify> {
        self.wake.clone()
    }

    /// The store itself.
    #[must_use]
    pub fn store(&self) -> Arc<dyn OutboxStore> {
        self.store.clone()
    }

    /// How many events wait, and since when.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn state(&self, now: DateTime<Utc>) -> Result<OutboxState, StoreError> {
        self.store.state(now).await
    }
}

/// When an event that happened at `at` is tried again: after as long as it is old, so that the pauses double.
pub(crate) fn retry_at(at: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    now + (now - at).to_std().unwrap_or_default().clamp(FIRST_RETRY, LONGEST_RETRY)
}

/// Logs a row that cannot be read; answers when it is tried again.
fn unreadable(seq: i64, at: Option<DateTime<Utc>>, error: &StoreError, now: DateTime<Utc>) -> DateTime<Utc> {
    let error = crate::error_chain(error);
    tracing::error!(seq, error, "a row of the outbox cannot be read, it is tried again later");
    retry_at(at.unwrap_or_default(), now)
}
