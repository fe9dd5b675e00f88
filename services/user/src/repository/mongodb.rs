//! Repository of users in MongoDB: one document per user, with its sessions and its unpublished events.
//!
//! Each change is one write of one document and needs neither a transaction nor a replica set. The fields of the queries
//! are at the top level of the document. A write returns once a majority of the servers has it on disk.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use common::database::mail_queue::MailQueue;
use common::database::outbox::Outbox;
use common::database::store::{StoreError, StoreMetrics};
use common::database::transaction_effects::Effects;
use common::telemetry::metrics::{Metrics, PoolMetrics};
use contracts::UserId;
use contracts::api::Revocation;
use mongodb::bson::doc;

use super::{SaveOutcome, UserFilter, UserRepository, Versioned};
use crate::NAME;
use crate::config::MongoUrl;
use crate::domain::User;

mod client;
mod conversions;
mod document;
mod embedded_outbox;
mod errors;
mod indexes;
mod login_failures;
mod mail_queue;
mod outbox;
mod pool;
mod revocations;
mod users;

use client::{MAX_CONNECTIONS, MongoClient};
use mail_queue::MongoMailQueue;
use outbox::MongoOutbox;
use pool::PoolObserver;

/// Repository of users in a MongoDB database. Clones share the connections.
#[derive(Clone)]
pub struct MongoUserRepository(MongoClient);

impl MongoUserRepository {
    /// Connects to the database and creates the missing indexes; several instances may do so at the same time.
    ///
    /// # Errors
    /// If no writable server is found within seconds or the authentication fails; [`StoreError::Incompatible`] if this
    /// binary is too old for the database.
    pub async fn open(url: &MongoUrl) -> Result<Self, StoreError> {
        let client = MongoClient::connect(url).await?;
        indexes::create(&client).await?;
        Ok(Self(client))
    }

    /// Publishes metrics of the connections and returns the metrics of the repository's operations.
    #[must_use]
    pub fn observe(&self, metrics: &Metrics) -> StoreMetrics {
        PoolObserver::observe(&self.0.pool, PoolMetrics::new(metrics, MAX_CONNECTIONS), metrics);
        StoreMetrics::new(NAME, "mongodb", metrics)
    }

    /// Returns the outbox in the documents of users.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        Outbox::new(Arc::new(MongoOutbox(self.0.clone())), self.0.wake.clone())
    }

    /// Returns the queue of mails in the documents of users.
    #[must_use]
    pub fn mails(&self) -> MailQueue {
        MailQueue::new(Arc::new(MongoMailQueue(self.0.clone())))
    }
}

#[async_trait]
impl UserRepository for MongoUserRepository {
    async fn insert(&self, user: &User, effects: &Effects) -> Result<SaveOutcome, StoreError> {
        users::insert(&self.0, user, effects).await
    }

    async fn find(&self, id: UserId) -> Result<Option<Versioned<User>>, StoreError> {
        users::find(&self.0, doc! { "_id": id.to_string() }).await
    }

    async fn find_by_email(&self, email: &str) -> Result<Option<Versioned<User>>, StoreError> {
        users::find(&self.0, doc! { "email": email }).await
    }

    async fn list_non_ascii_emails(&self) -> Result<Vec<(UserId, String)>, StoreError> {
        users::list_non_ascii_emails(&self.0).await
    }

    async fn save(&self, user: &Versioned<User>, effects: &Effects) -> Result<SaveOutcome, StoreError> {
        users::save(&self.0, user, effects).await
    }

    async fn save_unless_last_admin(
        &self,
        user: &Versioned<User>,
        effects: &Effects,
    ) -> Result<SaveOutcome, StoreError> {
        users::save_unless_last_admin(&self.0, user, effects).await
    }

    async fn list(&self, filter: &UserFilter, limit: u32, offset: u64) -> Result<(Vec<User>, u64), StoreError> {
        users::list(&self.0, filter, limit, offset).await
    }

    async fn login_failures(&self, key: &str, now: DateTime<Utc>) -> Result<(u32, DateTime<Utc>), StoreError> {
        login_failures::find(&self.0, key, now).await
    }

    async fn record_login_failure(&self, key: &str, window: TimeDelta, now: DateTime<Utc>) -> Result<u32, StoreError> {
        login_failures::record(&self.0, key, window, now).await
    }

    async fn clear_login_failures(&self, key: &str) -> Result<(), StoreError> {
        login_failures::clear(&self.0, key).await
    }

    async fn list_revocations(
        &self,
        after: i64,
        limit: u32,
        now: DateTime<Utc>,
    ) -> Result<Vec<Revocation>, StoreError> {
        revocations::list(&self.0, after, limit, now).await
    }

    async fn purge(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        // The server removes expired login failures, by an index.
        revocations::purge(&self.0, now).await?;
        users::purge_deleted(&self.0).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.0.ping().await
    }
}
