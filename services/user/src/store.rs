//! The store port of users.
//!
//! A user is one document that carries its sessions, so that each change is one atomic write and needs no transaction.

use chrono::{DateTime, TimeDelta, Utc};
use common::auth::Role;
use common::effects::Effects;
use common::store::StoreError;
use contracts::UserId;

use crate::domain::User;

pub mod mongodb;
pub mod sqlite;

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
        /// Removes what is of no use any more: failures that are to be forgotten, and the deleted of whom no event
        /// waits. What they held when they were deleted, sessions and tokens, is refused as long as they stand, and as
        /// well without them.
        async fn purge(&self, now: DateTime<Utc>) -> Result<(), StoreError>;
        /// Whether it answers.
        async fn ping(&self) -> Result<(), StoreError>;
    }
}
