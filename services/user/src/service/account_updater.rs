//! Optimistic updates of accounts.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use common::cache::Cache;
use common::database::NewMail;
use common::database::store::StoreError;
use common::database::transaction_effects::Effects;
use common::telemetry::clock::SharedClock;
use contracts::{Event, UserId};
use tokio::sync::{Mutex, MutexGuard};

use crate::domain::{AccountRole, User};
use crate::error::Error;
use crate::repository::{SaveOutcome, UserRepository};

/// Number of lock stripes. Accounts are assigned to a stripe by id.
const LOCK_STRIPES: usize = 64;
/// Maximum number of attempts to save a change while other instances change the same account.
const MAX_ATTEMPTS: u32 = 20;
/// Additional wait per attempt, in milliseconds.
const BACKOFF_MS: u64 = 2;

/// Events and mails of a change.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) events: Vec<Event>,
    pub(super) mails: Vec<NewMail>,
}

impl From<Vec<Event>> for Changes {
    fn from(events: Vec<Event>) -> Self {
        Self { events, mails: Vec::new() }
    }
}

impl Changes {
    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.mails.is_empty()
    }
}

/// Locks of the accounts, striped by id, so that the changes of one account queue within this process.
#[derive(Clone)]
struct AccountLocks(Arc<[Mutex<()>; LOCK_STRIPES]>);

impl AccountLocks {
    fn new() -> Self {
        Self(Arc::new(std::array::from_fn(|_| Mutex::new(()))))
    }

    async fn lock(&self, id: UserId) -> MutexGuard<'_, ()> {
        self.0[id.as_uuid().as_u128() as usize % LOCK_STRIPES].lock().await
    }
}

/// Requirement that another admin remains after the change.
#[derive(Clone, Copy)]
enum LastAdminGuard {
    Off,
    On,
}

/// Read-modify-write of accounts: applies a domain rule, saves the account with its events and mails, and invalidates the
/// cache. Clones share everything.
#[derive(Clone)]
pub(super) struct AccountUpdater {
    repository: Arc<dyn UserRepository>,
    cache: Cache,
    clock: SharedClock,
    locks: AccountLocks,
    /// False if the service sends no mails: none is queued.
    sends_mails: bool,
}

impl AccountUpdater {
    pub(super) fn new(
        repository: Arc<dyn UserRepository>,
        cache: Cache,
        clock: SharedClock,
        sends_mails: bool,
    ) -> Self {
        Self { repository, cache, clock, locks: AccountLocks::new(), sends_mails }
    }

    /// Inserts a new account with its events and mails.
    pub(super) async fn insert(&self, user: &User, changes: Changes, now: DateTime<Utc>) -> Result<(), Error> {
        let outcome = self.repository.insert(user, &self.effects(changes, now)).await;
        self.cache.invalidate(&[&cache_key(user.id)]).await;
        match outcome? {
            SaveOutcome::Saved => Ok(()),
            SaveOutcome::EmailTaken | SaveOutcome::VersionConflict | SaveOutcome::LastAdmin => Err(Error::Exists),
        }
    }

    /// Changes an account by a rule. The rule runs again on the current state after each version conflict.
    pub(super) async fn update<C: Into<Changes>>(
        &self,
        id: UserId,
        rule: impl FnMut(&mut User, DateTime<Utc>) -> Result<C, Error> + Send,
    ) -> Result<User, Error> {
        self.update_with_retry(id, LastAdminGuard::Off, rule).await
    }

    /// Changes an account by a rule that may delete or demote it, unless the account is the last admin.
    pub(super) async fn update_unless_last_admin<C: Into<Changes>>(
        &self,
        id: UserId,
        rule: impl FnMut(&mut User, DateTime<Utc>) -> Result<C, Error> + Send,
    ) -> Result<User, Error> {
        self.update_with_retry(id, LastAdminGuard::On, rule).await
    }

    async fn update_with_retry<C: Into<Changes>>(
        &self,
        id: UserId,
        guard: LastAdminGuard,
        mut rule: impl FnMut(&mut User, DateTime<Utc>) -> Result<C, Error> + Send,
    ) -> Result<User, Error> {
        // Only other instances can cause a version conflict: changes within this process queue here.
        let _lock = self.locks.lock(id).await;
        for attempt in 0..MAX_ATTEMPTS {
            if attempt > 0 {
                // A random wait, so that two conflicting instances do not conflict again.
                let wait = rand::random_range(0..=u64::from(attempt) * BACKOFF_MS);
                tokio::time::sleep(Duration::from_millis(wait)).await;
            }
            let stored = self.repository.find(id).await?.filter(|stored| stored.value.profile.is_some());
            let mut changed = stored.ok_or(Error::NotFound)?;
            let before = changed.value.clone();
            let now = self.clock.now();
            let mut changes: Changes = rule(&mut changed.value, now)?.into();
            changes.mails.retain(|_| self.sends_mails);
            if changed.value == before && changes.is_empty() {
                return Ok(before);
            }
            let effects = self.effects(changes, now);
            let outcome = match guard {
                LastAdminGuard::On if before.role == AccountRole::Admin => {
                    self.repository.save_unless_last_admin(&changed, &effects).await
                }
                LastAdminGuard::On | LastAdminGuard::Off => self.repository.save(&changed, &effects).await,
            };
            self.cache.invalidate(&[&cache_key(id)]).await;
            match outcome? {
                SaveOutcome::Saved => return Ok(changed.value),
                SaveOutcome::EmailTaken => return Err(Error::Exists),
                SaveOutcome::LastAdmin => return Err(Error::LastAdmin),
                SaveOutcome::VersionConflict => {}
            }
        }
        Err(StoreError::Contended.into())
    }

    fn effects(&self, changes: Changes, now: DateTime<Utc>) -> Effects {
        let effects = changes.events.into_iter().fold(Effects::none(), |effects, event| effects.with_event(now, event));
        let mails = changes.mails.into_iter().filter(|_| self.sends_mails);
        mails.fold(effects, Effects::with_mail)
    }
}

/// Returns the cache key of a profile.
pub(super) fn cache_key(id: UserId) -> String {
    format!("user:{id}")
}
