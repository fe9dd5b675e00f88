//! Revocations in memory.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, TimeDelta, Utc};
use contracts::UserId;

use crate::auth::claims::Claims;
use crate::database::revocations::{InstrumentedRevocationStore, RevocationRecord, RevocationStore, RevokedTokens};
use crate::database::store::{StoreError, StoreMetrics};
use crate::telemetry::clock::SharedClock;

/// Retention of a revocation: the life of an access token (15 minutes) and a margin for clock differences.
pub const RETENTION: TimeDelta = TimeDelta::minutes(16);
/// Maximum clock difference in seconds, for tokens without a version, which are compared by age.
const LEEWAY_SECONDS: i64 = 3;

/// Revocations known to a service. Clones share them.
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
    /// Lowest valid version of an account, and the time of its record.
    versions: HashMap<UserId, (i64, DateTime<Utc>)>,
    /// Ended sessions, and the time of each record.
    sessions: HashMap<String, DateTime<Utc>>,
}

impl Revocations {
    /// Creates the revocations over a store that other instances share.
    #[must_use]
    pub fn new(store: Arc<dyn RevocationStore>, clock: SharedClock) -> Self {
        Self(Arc::new(Inner { store, clock, known: RwLock::default() }))
    }

    /// Returns the same revocations with an instrumented store. It is called before they are shared.
    #[must_use]
    pub fn measured(self, operations: &StoreMetrics) -> Self {
        let store = InstrumentedRevocationStore::new(self.0.store.clone(), operations.clone());
        Self::new(Arc::new(store), self.0.clock.clone())
    }

    /// Returns the store.
    #[must_use]
    pub fn store(&self) -> Arc<dyn RevocationStore> {
        self.0.store.clone()
    }

    /// Loads the stored revocations.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn load(&self) -> Result<(), StoreError> {
        let since = self.0.clock.now() - RETENTION;
        self.apply(&self.0.store.recorded_since(since).await?);
        Ok(())
    }

    /// Returns whether an unexpired token is revoked.
    #[must_use]
    pub fn is_revoked(&self, claims: &Claims, user_id: Option<UserId>) -> bool {
        let Some(user_id) = user_id else { return false };
        let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
        if claims.sid.as_ref().is_some_and(|session| known.sessions.contains_key(session)) {
            return true;
        }
        known.versions.get(&user_id).is_some_and(|(min_version, recorded_at)| match claims.av {
            Some(version) => version < *min_version,
            // Issued by the previous version. All tokens that may be older than the revocation are revoked.
            None => claims.iat <= recorded_at.timestamp() + LEEWAY_SECONDS,
        })
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.0.clock.now()
    }

    /// Applies records to the memory.
    pub(super) fn apply(&self, records: &[RevocationRecord]) {
        if records.is_empty() {
            return;
        }
        let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
        for record in records {
            known.apply(record);
        }
    }

    /// Applies records to the memory, even if the store is unavailable, and stores them.
    ///
    /// # Errors
    /// The store is unavailable.
    pub(super) async fn record(&self, mut records: Vec<RevocationRecord>) -> Result<(), StoreError> {
        // A fixed order prevents deadlocks between instances.
        records.sort_unstable();
        self.apply(&records);
        self.0.store.record(&records).await
    }

    /// Removes records before a time from memory and returns whether there were any.
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

    /// Removes records before a time and returns whether there were any.
    fn remove_before(&mut self, before: DateTime<Utc>) -> bool {
        let held = self.versions.len() + self.sessions.len();
        self.versions.retain(|_, (_, recorded_at)| *recorded_at >= before);
        self.sessions.retain(|_, recorded_at| *recorded_at >= before);
        self.versions.len() + self.sessions.len() < held
    }
}
