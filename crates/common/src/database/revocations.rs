//! Stored revocations of access.

use chrono::{DateTime, Utc};
use contracts::UserId;

use crate::database::store::StoreError;

pub(crate) mod postgres;
pub(crate) mod sqlite;

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
