//! Queue of mails: mails that were committed with the data and wait to be sent.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::database::store::{StoreError, StoreMetrics};

pub mod sql;

/// Mail to be written to the queue with the change that causes it.
#[derive(Clone, Debug, PartialEq)]
pub struct NewMail {
    /// Permanent id of the mail.
    pub id: Uuid,
    /// Kind, such as `password_reset`, from which the worker renders the text.
    pub kind: &'static str,
    /// Id of the recipient's account or order.
    pub recipient: String,
    /// Data of the kind, without a token.
    pub payload: serde_json::Value,
    /// Time of the change.
    pub created_at: DateTime<Utc>,
}

impl NewMail {
    /// Creates a mail that a change at `now` causes.
    #[must_use]
    pub fn new(now: DateTime<Utc>, kind: &'static str, recipient: &impl ToString, payload: serde_json::Value) -> Self {
        let id = contracts::ids::uuid_v7(now);
        Self { id, kind, recipient: recipient.to_string(), payload, created_at: now }
    }
}

/// Mail that a worker has claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedMail {
    /// Permanent id of the mail.
    pub id: Uuid,
    /// Kind; a newer version may have written one that is unknown here.
    pub kind: String,
    /// Id of the recipient's account or order.
    pub recipient: String,
    /// Data of the kind, as JSON.
    pub payload: String,
    /// Time of the change.
    pub created_at: DateTime<Utc>,
    /// Number of attempts, with the current one.
    pub attempts: u32,
    /// Id of the claim.
    pub lease: Uuid,
}

impl QueuedMail {
    /// Returns the data of the kind.
    ///
    /// # Errors
    /// The data is not that of the kind.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.payload)
    }
}

/// State of the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MailQueueState {
    /// Number of waiting mails.
    pub waiting: u64,
    /// Age of the oldest waiting mail in seconds.
    pub oldest_seconds: u64,
}

impl MailQueueState {
    /// Creates the state of a queue whose oldest mail was created at a time.
    #[must_use]
    pub fn new(waiting: i64, oldest: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        let age = oldest.map_or(0, |oldest| (now - oldest).num_seconds());
        Self {
            waiting: u64::try_from(waiting).unwrap_or_default(),
            oldest_seconds: u64::try_from(age).unwrap_or_default(),
        }
    }
}

crate::repository_trait! {
    /// Port of the queue of mails.
    pub trait MailQueueStore, instrumented as "mails" by InstrumentedMailQueueStore {
        /// Claims up to `n` due mails, the longest due first, until `now + lease`, and counts an attempt of each.
        async fn claim(&self, n: u32, lease: Duration, now: DateTime<Utc>) -> Result<Vec<QueuedMail>, StoreError>;
        /// Removes a mail that was sent, so personal data in it is stored no longer than necessary. A mail that another
        /// worker has claimed since stays.
        async fn remove(&self, mail: &QueuedMail) -> Result<(), StoreError>;
        /// Releases a mail for another attempt at `due_at`, unless another worker has claimed it since.
        async fn postpone(&self, mail: &QueuedMail, due_at: DateTime<Utc>) -> Result<(), StoreError>;
        /// Returns the number of waiting mails and the age of the oldest one.
        async fn state(&self, now: DateTime<Utc>) -> Result<MailQueueState, StoreError>;
    }
}

/// Queue of the mails of a service. Clones share it.
#[derive(Clone)]
pub struct MailQueue(Arc<dyn MailQueueStore>);

impl MailQueue {
    /// Creates the queue over a store.
    #[must_use]
    pub fn new(store: Arc<dyn MailQueueStore>) -> Self {
        Self(store)
    }

    /// Returns the same queue with an instrumented store.
    #[must_use]
    pub fn measured(self, operations: &StoreMetrics) -> Self {
        Self(Arc::new(InstrumentedMailQueueStore::new(self.0, operations.clone())))
    }

    /// Returns the store.
    #[must_use]
    pub fn store(&self) -> Arc<dyn MailQueueStore> {
        self.0.clone()
    }
}
