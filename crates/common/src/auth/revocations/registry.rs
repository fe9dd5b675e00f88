//! Revocations that a service holds in memory.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, TimeDelta, Utc};
use contracts::UserId;

use crate::auth::claims::Claims;
use crate::database::revocations::{ObservedRevocations, RevocationRecord, RevocationStore, RevokedTokens};
use crate::database::store::{Operations, StoreError};
use crate::telemetry::clock::SharedClock;

/// Time that a revocation is kept: the life of an access token (15 minutes) and a reserve for clocks that differ.
pub const RETENTION: TimeDelta = TimeDelta::minutes(16);
/// Seconds by which the clocks of two machines may differ, where a token without a version is compared by its age.
const LEEWAY_SECONDS: i64 = 3;

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

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.0.clock.now()
    }

    /// Takes records over into memory.
    pub(super) fn apply(&self, records: &[RevocationRecord]) {
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
    pub(super) async fn record(&self, mut records: Vec<RevocationRecord>) -> Result<(), StoreError> {
        // Always in the same order, so that two instances do not wait for each other's rows.
        records.sort_unstable();
        self.apply(&records);
        self.0.store.record(&records).await
    }

    /// Drops what was recorded before then from memory, and returns whether there was any.
    pub(super) fn remove_before(&self, before: DateTime<Utc>) -> bool {
        self.0.known.write().unwrap_or_else(PoisonError::into_inner).remove_before(before)
    }

    pub(super) fn covers(&self, record: &RevocationRecord) -> bool {
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
