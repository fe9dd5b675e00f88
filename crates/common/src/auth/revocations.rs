//! Withdrawn access: tokens that are refused before they run out.
//!
//! The user service announces a change of role, a deletion, a new password and the end of a session as
//! `user.access_revoked`. Each other service stores what it learns in its own database until the last such token has run
//! out. Each instance holds it in memory, reads what other instances stored every second, and polls the user service's
//! feed beside the bus, so that a revocation takes effect within five seconds although the broker is unavailable.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, TimeDelta, Utc};
use contracts::UserId;
use contracts::topology::Queue;

use super::{Claims, ServiceTokens};
use crate::client::ServiceClient;
use crate::clock::SharedClock;
use crate::consumer::Handler;
use crate::store::{Operations, StoreError};
use crate::worker::Worker;

mod events;
mod feed;
pub(crate) mod postgres;
mod reader;
pub(crate) mod sql;
pub(crate) mod sqlite;

/// Time that a revocation is kept: the life of an access token (15 minutes) and a reserve for clocks that differ.
pub const RETENTION: TimeDelta = TimeDelta::minutes(16);
/// Seconds by which the clocks of two machines may differ, where a token without a version is compared by its age.
const LEEWAY_SECONDS: i64 = 3;

/// Tokens of an account that a revocation covers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RevokedTokens {
    /// Those of this session (claim `sid`).
    Session(String),
    /// Those of a lower access version (claim `av`).
    VersionsBelow(i64),
}

/// A revocation as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RevocationRecord {
    /// The account.
    pub user_id: UserId,
    /// Its tokens that are refused.
    pub tokens: RevokedTokens,
    /// The time at which this service learned of it.
    pub recorded_at: DateTime<Utc>,
}

impl RevocationRecord {
    /// Returns the records of one revocation: one for the version, one for each session.
    #[must_use]
    pub fn of(user_id: UserId, min_version: Option<i64>, session_ids: &[String], now: DateTime<Utc>) -> Vec<Self> {
        let version = min_version.map(RevokedTokens::VersionsBelow);
        let sessions = session_ids.iter().filter(|id| !id.is_empty()).cloned().map(RevokedTokens::Session);
        version.into_iter().chain(sessions).map(|tokens| Self { user_id, tokens, recorded_at: now }).collect()
    }
}

crate::store_port! {
    /// Stores revocations, beside the service's data.
    pub trait RevocationStore, observed as "revocations" by ObservedRevocations {
        /// Stores records. One that is stored already stays as it is, unless the new one names a higher version.
        async fn record(&self, records: &[RevocationRecord]) -> Result<(), StoreError>;
        /// Returns the records that were stored since then.
        async fn recorded_since(&self, since: DateTime<Utc>) -> Result<Vec<RevocationRecord>, StoreError>;
        /// Deletes the records that were stored before then.
        async fn remove_before(&self, before: DateTime<Utc>) -> Result<(), StoreError>;
    }
}

/// The revocations that a service knows of. Clones share them.
#[derive(Clone)]
pub struct Revocations(Arc<Inner>);

struct Inner {
    store: Arc<dyn RevocationStore>,
    clock: SharedClock,
    known: RwLock<Known>,
}

/// Revocations in memory.
#[derive(Default)]
struct Known {
    /// The lowest valid version of an account, and when it was recorded.
    versions: HashMap<UserId, (i64, DateTime<Utc>)>,
    /// Ended sessions, and when each was recorded.
    sessions: HashMap<String, DateTime<Utc>>,
}

impl Revocations {
    /// Returns the revocations in this store, which other instances share.
    #[must_use]
    pub fn new(store: Arc<dyn RevocationStore>, clock: SharedClock) -> Self {
        Self(Arc::new(Inner { store, clock, known: RwLock::default() }))
    }

    /// Returns the same revocations with a measured store. It is called before they are shared.
    #[must_use]
    pub fn measured(self, operations: &Operations) -> Self {
        Self::new(ObservedRevocations::over(self.0.store.clone(), operations.clone()), self.0.clock.clone())
    }

    /// Returns the store.
    #[must_use]
    pub fn store(&self) -> Arc<dyn RevocationStore> {
        self.0.store.clone()
    }

    /// Loads what is stored.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn load(&self) -> Result<(), StoreError> {
        let since = self.0.clock.now() - RETENTION;
        self.apply(&self.0.store.recorded_since(since).await?);
        Ok(())
    }

    /// Returns whether a token is refused although it has not run out.
    #[must_use]
    pub fn is_revoked(&self, claims: &Claims, user_id: Option<UserId>) -> bool {
        let Some(user_id) = user_id else { return false };
        let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
        if claims.sid.as_ref().is_some_and(|session| known.sessions.contains_key(session)) {
            return true;
        }
        known.versions.get(&user_id).is_some_and(|(min_version, recorded_at)| match claims.av {
            Some(version) => version < *min_version,
            // Issued by the version before. All that may be older than the revocation are refused.
            None => claims.iat <= recorded_at.timestamp() + LEEWAY_SECONDS,
        })
    }

    /// Returns the handler of a queue of `user.access_revoked`.
    #[must_use]
    pub fn handler(&self, queue: Queue) -> Arc<dyn Handler> {
        Arc::new(events::RevocationEvents::new(self.clone(), queue))
    }

    /// Returns the workers that keep the revocations up to date: one reads the store, one polls the user service's feed.
    #[must_use]
    pub fn workers(&self, client: ServiceClient, tokens: ServiceTokens) -> [Arc<dyn Worker>; 2] {
        [Arc::new(reader::Reader::new(self.clone())), Arc::new(feed::Poller::new(self.clone(), client, tokens))]
    }

    fn now(&self) -> DateTime<Utc> {
        self.0.clock.now()
    }

    /// Takes records over into memory.
    fn apply(&self, records: &[RevocationRecord]) {
        if records.is_empty() {
            return;
        }
        let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
        for record in records {
            known.apply(record);
        }
    }

    /// Stores records and applies them, at once also where the store is unavailable.
    ///
    /// # Errors
    /// If the store does not answer.
    async fn record(&self, mut records: Vec<RevocationRecord>) -> Result<(), StoreError> {
        // Always in the same order, so that two instances do not wait for each other's rows.
        records.sort_unstable();
        self.apply(&records);
        self.0.store.record(&records).await
    }

    fn covers(&self, record: &RevocationRecord) -> bool {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner).covers(record)
    }
}

impl Known {
    fn covers(&self, record: &RevocationRecord) -> bool {
        match &record.tokens {
            RevokedTokens::Session(session) => self.sessions.contains_key(session),
            RevokedTokens::VersionsBelow(version) => {
                self.versions.get(&record.user_id).is_some_and(|(known, _)| known >= version)
            }
        }
    }

    fn apply(&mut self, record: &RevocationRecord) {
        if self.covers(record) {
            return;
        }
        match &record.tokens {
            RevokedTokens::Session(session) => {
                self.sessions.insert(session.clone(), record.recorded_at);
            }
            RevokedTokens::VersionsBelow(version) => {
                self.versions.insert(record.user_id, (*version, record.recorded_at));
            }
        }
    }

    /// Drops what was recorded before then; returns whether there was any.
    fn remove_before(&mut self, before: DateTime<Utc>) -> bool {
        let held = self.versions.len() + self.sessions.len();
        self.versions.retain(|_, (_, recorded_at)| *recorded_at >= before);
        self.sessions.retain(|_, recorded_at| *recorded_at >= before);
        self.versions.len() + self.sessions.len() < held
    }
}
