//! The store port of users.
//!
//! A user is one document that carries its sessions, so that each change is one atomic write and needs no transaction.

use chrono::{DateTime, TimeDelta, Utc};
use common::auth::Role;
use common::effects::Effects;
use common::store::StoreError;
use contracts::calls::Revocation;
use contracts::event::UserAccessRevoked;
use contracts::{Event, EventId, UserId};

use crate::domain::User;

pub mod mongodb;
pub mod sqlite;

/// Time that a revocation stays in the feed: the life of a person's access token, and a minute for clocks that differ.
const REVOCATION_RETENTION: TimeDelta = TimeDelta::minutes(16);

/// Returns the revocations among the events, each with its event's id and the time until which it stays in the feed.
fn revocations_in(effects: &Effects) -> impl Iterator<Item = (EventId, DateTime<Utc>, &UserAccessRevoked)> {
    effects.events.iter().filter_map(|new| match &new.event {
        Event::UserAccessRevoked(revoked) => Some((new.id, new.at + REVOCATION_RETENTION, revoked)),
        _ => None,
    })
}

/// A user with the version that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The user.
    pub user: User,
    /// Counts the writes.
    pub version: i64,
}

/// Which users.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The one with this address.
    pub email: Option<String>,
    /// Those in this role.
    pub role: Option<Role>,
}

/// What came of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is written.
    Done,
    /// Somebody else has the e-mail address.
    EmailTaken,
    /// Another write came between.
    Outdated,
    /// There would be no admin any more.
    LastAdmin,
}

common::store_port! {
    /// Keeps users, for several instances at once. Each method that changes something writes the effects with it, or
    /// nothing. A deleted user is found by no method but `find`.
    pub trait Users, observed as "users" by ObservedUsers {
        /// Writes a new user.
        async fn insert(&self, user: &User, effects: &Effects) -> Result<Written, StoreError>;
        /// A user, also a deleted one until it is purged.
        async fn find(&self, id: UserId) -> Result<Option<Stored>, StoreError>;
        /// The user with this address.
        async fn find_email(&self, email: &str) -> Result<Option<Stored>, StoreError>;
        /// Lists the ids and addresses of accounts whose address has characters outside ASCII.
        async fn list_non_ascii_emails(&self) -> Result<Vec<(UserId, String)>, StoreError>;
        /// Writes a changed user, if its version is still the one that was read.
        async fn save(&self, user: &Stored, effects: &Effects) -> Result<Written, StoreError>;
        /// Like [`save`](Self::save), for an admin whose account or role is taken away: nothing is written if no other
        /// admin would be left, however many are taken away at once by however many instances.
        async fn save_unless_last_admin(&self, user: &Stored, effects: &Effects) -> Result<Written, StoreError>;
        /// A page of users, the newest first, and how many there are in all.
        async fn list(&self, filter: &Filter, limit: u32, offset: u64) -> Result<(Vec<User>, u64), StoreError>;
        /// How often logins under this key failed in a row, and when that is forgotten.
        async fn failures(&self, key: &str, now: DateTime<Utc>) -> Result<(u32, DateTime<Utc>), StoreError>;
        /// Counts a failure, which is remembered for `window`; answers how many there are in a row now.
        async fn count_failure(&self, key: &str, window: TimeDelta, now: DateTime<Utc>) -> Result<u32, StoreError>;
        /// Forgets the failures under this key.
        async fn forget_failures(&self, key: &str) -> Result<(), StoreError>;
        /// Lists the feed of revocations after the position `after`, oldest first, at most `limit`. Every revocation
        /// (`user.access_revoked`) whose write was answered before is in it; none is ever inserted before one that
        /// was listed. A position that the feed has not reached counts as 0, since the store was restored since.
        async fn revocations(
            &self,
            after: i64,
            limit: u32,
            now: DateTime<Utc>,
        ) -> Result<Vec<Revocation>, StoreError>;
        /// Removes what is of no use any more: failures that are to be forgotten, revocations whose tokens have run
        /// out, and the deleted of whom no event waits: their ids stay, and no account is written under one again.
        /// What they held when they were deleted, sessions and tokens, is refused as long as they stand, and as
        /// well without them.
        async fn purge(&self, now: DateTime<Utc>) -> Result<(), StoreError>;
        /// Whether it answers.
        async fn ping(&self) -> Result<(), StoreError>;
    }
}
