//! What is done with accounts: the store, and the cache that follows it.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use common::auth::Role;
use common::cache::{Cache, Ttl};
use common::clock::SharedClock;
use common::effects::Effects;
use common::http::normalize_email;
use common::store::StoreError;
use contracts::UserId;
use secrecy::SecretString;
use tokio::sync::Mutex;

use crate::domain::{Profile, REFRESH_GRACE, Session, User};
use crate::error::Error;
use crate::guesses::known_network;
use crate::passwords::Passwords;
use crate::routes::ProfileView;
use crate::store::{Filter, Stored, Users, Written};

/// Accounts that share a turn do so by chance; so many turns there are.
const TURNS: usize = 64;
/// Turns of those that change an account.
pub(crate) type Turns = Arc<[Mutex<()>; TURNS]>;

/// No turn is taken.
pub(crate) fn turns() -> Turns {
    Arc::new(std::array::from_fn(|_| Mutex::new(())))
}

/// Accounts of which this instance refreshed a session, and when, the oldest first.
pub(crate) type Refreshes = Arc<std::sync::Mutex<VecDeque<(DateTime<Utc>, UserId)>>>;

/// How often a change is tried again when another came between reading and writing.
const TRIES: u32 = 20;
/// How much longer each try may wait than the one before, in milliseconds.
const BACKOFF_MS: u64 = 2;
/// How long a profile is kept in the cache (the time of the older service); that there is none, briefly.
const KEEP: Ttl = Ttl { found: Duration::from_secs(3600), missing: Duration::from_secs(5) };

/// What is asked of the store before a changed account is written.
#[derive(Clone, Copy)]
enum Saving {
    Always,
    UnlessLastAdmin,
}

/// The accounts. Clones share everything.
#[derive(Clone)]
pub(crate) struct People {
    pub(crate) users: Arc<dyn Users>,
    pub(crate) cache: Cache,
    pub(crate) clock: SharedClock,
    pub(crate) passwords: Passwords,
    pub(crate) turns: Turns,
    pub(crate) refreshed: Refreshes,
}

impl People {
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Registers somebody, who is signed in at once: account and session are one write.
    pub(crate) async fn register(
        &self,
        profile: Profile,
        role: Role,
        password: SecretString,
        from: Option<IpAddr>,
    ) -> Result<(User, Session, SecretString), Error> {
        let hash = self.passwords.hash(password).await?;
        let now = self.now();
        let (mut user, mut effects) = User::register(profile, role, hash, now);
        let (session, token) = Session::begin(user.id, now);
        effects.events.extend(user.begin_session(session.clone(), now).events);
        if let Some(from) = from {
            user.remember_network(known_network(user.id, from));
        }
        let written = self.users.insert(&user, &effects).await;
        self.cache.invalidate(&[&key(user.id)]).await;
        match written? {
            Written::Done => Ok((user, session, token.text())),
            Written::EmailTaken | Written::Outdated | Written::LastAdmin => Err(Error::Exists),
        }
    }

    /// Changes an account by a rule, which may run several times, each time on what is stored then.
    pub(crate) async fn change(
        &self,
        id: UserId,
        rule: impl FnMut(&mut User, DateTime<Utc>) -> Result<Effects, Error> + Send,
    ) -> Result<User, Error> {
        self.change_by(id, Saving::Always, rule).await
    }

    /// Takes an account or a role away by a rule, unless it is the last admin's.
    pub(crate) async fn take_away(
        &self,
        id: UserId,
        rule: impl FnMut(&mut User, DateTime<Utc>) -> Result<Effects, Error> + Send,
    ) -> Result<User, Error> {
        self.change_by(id, Saving::UnlessLastAdmin, rule).await
    }

    async fn change_by(
        &self,
        id: UserId,
        saving: Saving,
        mut rule: impl FnMut(&mut User, DateTime<Utc>) -> Result<Effects, Error> + Send,
    ) -> Result<User, Error> {
        // Changes of one account wait for each other here; only those of other instances can come between.
        let _in_turn = self.turns[id.as_uuid().as_u128() as usize % TURNS].lock().await;
        for tried in 0..TRIES {
            if tried > 0 {
                // A random time, so that two that came between each other do not do so again.
                tokio::time::sleep(Duration::from_millis(rand::random_range(0..=u64::from(tried) * BACKOFF_MS))).await;
            }
            let stored = self.users.find(id).await?.filter(|stored| stored.user.profile.is_some());
            let mut changed = stored.ok_or(Error::NotFound)?;
            let before = changed.user.clone();
            let effects = rule(&mut changed.user, self.now())?;
            if changed.user == before && effects == Effects::none() {
                return Ok(before);
            }
            let written = match saving {
                Saving::UnlessLastAdmin if before.role == Role::Admin => {
                    self.users.save_unless_last_admin(&changed, &effects).await
                }
                _ => self.users.save(&changed, &effects).await,
            };
            self.cache.invalidate(&[&key(id)]).await;
            match written? {
                Written::Done => return Ok(changed.user),
                Written::EmailTaken => return Err(Error::Exists),
                Written::LastAdmin => return Err(Error::LastAdmin),
                Written::Outdated => {}
            }
        }
        Err(StoreError::LeaseLost.into())
    }

    /// A profile; kept in the cache.
    pub(crate) async fn profile(&self, id: UserId) -> Result<ProfileView, Error> {
        let users = self.users.clone();
        let load = move || async move {
            let stored = users.find(id).await?;
            Ok::<_, Error>(stored.and_then(|Stored { user, .. }| ProfileView::of(user)))
        };
        self.cache.get_or_load(&key(id), KEEP, load).await?.ok_or(Error::NotFound)
    }

    /// Finds the account of an e-mail address as it was typed. One that the version before stored in another form is
    /// found by that form.
    pub(crate) async fn find_by_email(&self, typed: &str) -> Result<Option<User>, Error> {
        let (old_form, email) = (typed.trim().to_lowercase(), canonical_email(typed));
        let mut found = self.users.find_email(&old_form).await?;
        if found.is_none() && email != old_form {
            found = self.users.find_email(&email).await?;
        }
        Ok(found.map(|stored| stored.user))
    }

    /// Gives the accounts whose e-mail address the version before stored in another form the normalised one. Accounts
    /// whose addresses become equal are logged by their ids and left as they are.
    pub(crate) async fn normalize_emails(&self) -> Result<(), Error> {
        let mut by_email: HashMap<String, Vec<(UserId, String)>> = HashMap::new();
        for (id, stored) in self.users.list_non_ascii_emails().await? {
            if let Some(email) = normalize_email(&stored).filter(|email| *email != stored) {
                by_email.entry(email).or_default().push((id, stored));
            }
        }
        for (email, mut accounts) in by_email {
            accounts.extend(self.users.find_email(&email).await?.map(|other| (other.user.id, email.clone())));
            if let [(id, stored)] = &accounts[..] {
                match self.change(*id, |user, now| Ok(user.normalize_email(stored, &email, now))).await {
                    Err(Error::Exists | Error::NotFound) => {}
                    changed => drop(changed?),
                }
                continue;
            }
            let ids: Vec<_> = accounts.iter().map(|(id, _)| id.to_string()).collect();
            let ids = ids.join(",");
            tracing::warn!(user.ids = ids, "accounts have equal e-mail addresses in different forms, left unchanged");
        }
        Ok(())
    }

    /// Makes the first admin, if there is none.
    pub(crate) async fn first_admin(&self, email: &str, password: SecretString) -> Result<(), Error> {
        let filter = Filter { role: Some(Role::Admin), ..Filter::default() };
        if !self.users.list(&filter, 1, 0).await?.0.is_empty() {
            return Ok(());
        }
        let profile = Profile {
            email: canonical_email(email),
            email_verified: false,
            first_name: "Shop".to_owned(),
            last_name: "Admin".to_owned(),
            date_of_birth: None,
            phone_number: None,
            address: None,
            preferences: crate::domain::Preferences::default(),
        };
        match self.register(profile, Role::Admin, password, None).await {
            Ok(_) => Ok(()),
            Err(Error::Exists) => {
                // Another instance was faster, or the address is a customer's, whose account is not taken over.
                tracing::warn!("no admin was made: ADMIN_EMAIL belongs to an account already");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Notes that a session was refreshed, so that the stored successor is removed after its grace period.
    pub(crate) fn note_refresh(&self, id: UserId) {
        self.refreshed.lock().unwrap_or_else(PoisonError::into_inner).push_back((self.now(), id));
    }

    /// Removes the stored successors of refresh tokens whose grace period is over. One that this instance did not get to
    /// remove goes with the next refresh of its session.
    pub(crate) async fn forget_successors(&self) -> Result<(), Error> {
        let over = |(at, _): &mut (DateTime<Utc>, UserId)| self.now() - *at > REFRESH_GRACE;
        loop {
            let next = self.refreshed.lock().unwrap_or_else(PoisonError::into_inner).pop_front_if(over);
            let Some((_, id)) = next else { return Ok(()) };
            let forget = |user: &mut User, now| {
                user.forget_successors(now);
                Ok(Effects::none())
            };
            match self.change(id, forget).await {
                // Deleted since.
                Ok(_) | Err(Error::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Begins a session, and answers it with its refresh token; not for a password that was changed since it was
    /// verified.
    pub(crate) async fn sign_in(&self, verified: &User, from: IpAddr) -> Result<(User, Session, SecretString), Error> {
        let (session, token) = Session::begin(verified.id, self.now());
        let begun = self.change(verified.id, |user, now| {
            if user.password_hash != verified.password_hash {
                return Err(Error::InvalidCredentials);
            }
            user.remember_network(known_network(user.id, from));
            Ok(user.begin_session(session.clone(), now))
        });
        match begun.await {
            Ok(user) => Ok((user, session, token.text())),
            // Deleted since.
            Err(Error::NotFound) => Err(Error::InvalidCredentials),
            Err(error) => Err(error),
        }
    }
}

/// Returns the one form of an e-mail address as it was typed, also of one that is none.
pub(crate) fn canonical_email(typed: &str) -> String {
    normalize_email(typed).unwrap_or_else(|| typed.trim().to_lowercase())
}

fn key(id: UserId) -> String {
    format!("user:{id}")
}
