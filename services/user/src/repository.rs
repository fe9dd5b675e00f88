//! Repository port of users.
//!
//! A user is one document that includes its sessions. Each change is therefore one atomic write, and needs no
//! transaction in the document store.

use chrono::{DateTime, TimeDelta, Utc};
use common::auth::Role;
use common::database::store::StoreError;
use common::database::transaction_effects::Effects;
use contracts::api::Revocation;
use contracts::event::UserAccessRevoked;
use contracts::{Event, EventId, UserId};

use crate::domain::User;

#[cfg(feature = "mongodb")]
pub mod mongodb;
#[cfg(feature = "sqlite")]
pub mod sqlite;

/// Retention of a revocation in the feed: the lifetime of a user's access token, and a minute of clock skew.
const REVOCATION_RETENTION: TimeDelta = TimeDelta::minutes(16);

/// Returns the revocations among the effects, each with the id of its event and its expiry in the feed.
fn revocations_in(effects: &Effects) -> impl Iterator<Item = (EventId, DateTime<Utc>, &UserAccessRevoked)> {
    effects.events.iter().filter_map(|new| match &new.event {
        Event::UserAccessRevoked(revoked) => Some((new.id, new.at + REVOCATION_RETENTION, revoked)),
        _ => None,
    })
}

/// Stored value with the version that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<T> {
    /// Value as stored.
    pub value: T,
    /// Number of writes so far.
    pub version: i64,
}

/// Filter of the list of users; `None` and no words match every user.
#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    /// E-mail address.
    pub email: Option<String>,
    /// Role that the listed accounts have; `None` lists accounts of every role. No account has the role of services.
    pub role: Option<Role>,
    /// Words in lower case, each of which is a part of the e-mail address or the name, ignoring case.
    pub search: Vec<String>,
}

/// Outcome of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaveOutcome {
    /// Save outcome: successful write.
    Saved,
    /// Save outcome: e-mail address of another account.
    EmailTaken,
    /// Change by another write since the read, or a purged user.
    VersionConflict,
    /// Save outcome: write that would leave no admin.
    LastAdmin,
}

common::repository_trait! {
    /// Store of users, shared by several instances. Each method that changes a user writes the effects with it, all or
    /// nothing. A deleted user is returned by `find` only.
    pub trait UserRepository, instrumented as "users" by InstrumentedUserRepository {
        /// Inserts a new user.
        async fn insert(&self, user: &User, effects: &Effects) -> Result<SaveOutcome, StoreError>;
        /// Returns a user, also a deleted one until it is purged.
        async fn find(&self, id: UserId) -> Result<Option<Versioned<User>>, StoreError>;
        /// Returns the user with an e-mail address.
        async fn find_by_email(&self, email: &str) -> Result<Option<Versioned<User>>, StoreError>;
        /// Lists the ids and e-mail addresses of accounts whose address has characters outside ASCII.
        async fn list_non_ascii_emails(&self) -> Result<Vec<(UserId, String)>, StoreError>;
        /// Writes a changed user if its version is still the one that was read.
        async fn save(&self, user: &Versioned<User>, effects: &Effects) -> Result<SaveOutcome, StoreError>;
        /// Writes like [`save`](Self::save), but only if another admin remains, however many instances delete or demote
        /// admins at the same time.
        async fn save_unless_last_admin(
            &self,
            user: &Versioned<User>,
            effects: &Effects,
        ) -> Result<SaveOutcome, StoreError>;
        /// Returns a page of users, newest first, and the total number of matching users.
        async fn list(&self, filter: &UserFilter, limit: u32, offset: u64) -> Result<(Vec<User>, u64), StoreError>;
        /// Returns the number of consecutive failed logins under a key and the time at which they expire.
        async fn login_failures(&self, key: &str, now: DateTime<Utc>) -> Result<(u32, DateTime<Utc>), StoreError>;
        /// Counts a failed login, which expires after `window`, and returns the number of consecutive failures.
        async fn record_login_failure(
            &self,
            key: &str,
            window: TimeDelta,
            now: DateTime<Utc>,
        ) -> Result<u32, StoreError>;
        /// Removes the failed logins under a key.
        async fn clear_login_failures(&self, key: &str) -> Result<(), StoreError>;
        /// Lists the feed of revocations after the position `after`, oldest first, at most `limit`.
        ///
        /// The feed includes every revocation (`user.access_revoked`) whose write has returned; none is ever inserted
        /// before a listed one. A position beyond the end of the feed counts as 0, because the store was restored.
        async fn list_revocations(
            &self,
            after: i64,
            limit: u32,
            now: DateTime<Utc>,
        ) -> Result<Vec<Revocation>, StoreError>;
        /// Removes expired failed logins, expired revocations, and deleted users without unpublished events.
        ///
        /// The id of a deleted user stays: no account is written under it again. Sessions and tokens of deleted users
        /// are rejected before the purge and after it.
        async fn purge(&self, now: DateTime<Utc>) -> Result<(), StoreError>;
        /// Checks that the store is available.
        async fn ping(&self) -> Result<(), StoreError>;
    }
}
