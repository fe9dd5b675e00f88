//! Stored revocations of access.

use chrono::{DateTime, Utc};
use contracts::UserId;

use crate::database::store::StoreError;

pub(crate) mod sql;

/// Tokens of an account that a revocation covers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RevokedTokens {
    /// Revoked tokens: tokens of this session (claim `sid`).
    Session(String),
    /// Tokens with a lower access version (claim `av`).
    VersionsBelow(i64),
}

/// Stored revocation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RevocationRecord {
    /// Account of the revocation.
    pub user_id: UserId,
    /// Revoked tokens.
    pub tokens: RevokedTokens,
    /// Time at which this service recorded the revocation.
    pub recorded_at: DateTime<Utc>,
}

impl RevocationRecord {
    /// Returns the records of one revocation: one for the version, one per session.
    #[must_use]
    pub fn of(user_id: UserId, min_version: Option<i64>, session_ids: &[String], now: DateTime<Utc>) -> Vec<Self> {
        let version = min_version.map(RevokedTokens::VersionsBelow);
        let sessions = session_ids.iter().filter(|id| !id.is_empty()).cloned().map(RevokedTokens::Session);
        version.into_iter().chain(sessions).map(|tokens| Self { user_id, tokens, recorded_at: now }).collect()
    }
}

crate::repository_trait! {
    /// Port of the stored revocations.
    pub trait RevocationStore, instrumented as "revocations" by InstrumentedRevocationStore {
        /// Stores records. An existing record is kept unless the new one has a higher version.
        async fn record(&self, records: &[RevocationRecord]) -> Result<(), StoreError>;
        /// Returns the records that were stored since a time.
        async fn recorded_since(&self, since: DateTime<Utc>) -> Result<Vec<RevocationRecord>, StoreError>;
        /// Deletes the records that were stored before a time.
        async fn remove_before(&self, before: DateTime<Utc>) -> Result<(), StoreError>;
    }
}
