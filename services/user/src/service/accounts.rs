//! Accounts: registration, profiles, passwords, roles and deletion.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use common::cache::{Cache, Ttl};
use common::telemetry::clock::SharedClock;
use contracts::UserId;
use secrecy::SecretString;
use uuid::Uuid;

use super::account_updater::{AccountUpdater, Changes, cache_key};
use super::email::{canonical_email, trimmed_lowercase};
use super::login_throttle::{LoginThrottle, known_network};
use super::mail_throttle::MailThrottle;
use super::mails::MailKind;
use super::passwords::Passwords;
use super::profile::UserProfile;
use crate::domain::{AccountRole, Profile, ProfileUpdate, RefreshToken, Session, User};
use crate::error::Error;
use crate::repository::{UserFilter, UserRepository, Versioned};

/// Lifetime of a cached profile (the one of the older service); a missing account is cached briefly.
const CACHE_TTL: Ttl = Ttl { found: Duration::from_secs(3600), missing: Duration::from_secs(5) };

/// Signed-in user who makes a request.
#[derive(Clone, Copy)]
pub(crate) struct Requester {
    /// Account of the user.
    pub(crate) user_id: UserId,
    /// Session of the access token.
    pub(crate) session: Option<Uuid>,
    /// Address of the client.
    pub(crate) address: IpAddr,
}

/// Client of a sign-in.
#[derive(Clone, Debug)]
pub(crate) struct ClientInfo {
    /// Address of the client.
    pub(crate) address: IpAddr,
    /// Name of the client, as it names itself.
    pub(crate) user_agent: Option<String>,
}

/// Use cases of accounts. Clones share everything.
#[derive(Clone)]
pub(crate) struct AccountService {
    pub(super) repository: Arc<dyn UserRepository>,
    pub(super) throttle: LoginThrottle,
    pub(super) updater: AccountUpdater,
    pub(super) mail_throttle: MailThrottle,
    pub(super) clock: SharedClock,
    pub(super) passwords: Passwords,
    cache: Cache,
}

impl AccountService {
    /// Creates the use cases; without `sends_mails` no mail is queued.
    pub(crate) fn new(
        repository: Arc<dyn UserRepository>,
        cache: Cache,
        clock: SharedClock,
        passwords: Passwords,
        sends_mails: bool,
    ) -> Self {
        Self {
            throttle: LoginThrottle::new(repository.clone(), passwords.clone(), clock.clone()),
            updater: AccountUpdater::new(repository.clone(), cache.clone(), clock.clone(), sends_mails),
            mail_throttle: MailThrottle::new(repository.clone(), clock.clone()),
            repository,
            cache,
            clock,
            passwords,
        }
    }

    /// Registers a user with a first session: both are one write. A customer gets a welcome mail.
    pub(super) async fn register(
        &self,
        profile: Profile,
        role: AccountRole,
        password: SecretString,
        client: Option<ClientInfo>,
    ) -> Result<(User, RefreshToken), Error> {
        let hash = self.passwords.hash(password).await?;
        let now = self.clock.now();
        let (mut user, mut events) = User::register(profile, role, hash, now);
        let (mut session, token) = Session::start(user.id, now);
        if let Some(client) = client {
            user.add_known_network(known_network(user.id, client.address));
            session.user_agent = client.user_agent;
        }
        events.extend(user.add_session(session, now));
        let welcome = (role == AccountRole::User).then(|| MailKind::Welcome.mail(&user, now));
        let changes = Changes { events, mails: welcome.into_iter().collect() };
        self.updater.insert(&user, changes, now).await?;
        Ok((user, token))
    }

    /// Returns a profile, from the cache if present.
    pub(crate) async fn profile(&self, id: UserId) -> Result<UserProfile, Error> {
        let repository = self.repository.clone();
        let load = move || async move {
            let stored = repository.find(id).await?;
            Ok::<_, Error>(stored.and_then(|Versioned { value, .. }| UserProfile::from_user(value)))
        };
        self.cache.get_or_load(&cache_key(id), CACHE_TTL, load).await?.ok_or(Error::NotFound)
    }

    /// Returns an account from the store.
    pub(super) async fn stored(&self, id: UserId) -> Result<User, Error> {
        let stored = self.repository.find(id).await?.map(|stored| stored.value);
        stored.filter(|user| user.profile.is_some()).ok_or(Error::NotFound)
    }

    /// Returns a page of profiles, newest account first, and the total number of matching accounts.
    pub(crate) async fn list(
        &self,
        mut filter: UserFilter,
        limit: u32,
        offset: u64,
    ) -> Result<(Vec<UserProfile>, u64), Error> {
        filter.email = filter.email.map(|email| canonical_email(&email));
        let (users, total) = self.repository.list(&filter, limit, offset).await?;
        Ok((users.into_iter().filter_map(UserProfile::from_user).collect(), total))
    }

    /// Returns the account of an e-mail address as typed, also one that the previous version stored in another form.
    pub(super) async fn find_by_email(&self, typed: &str) -> Result<Option<User>, Error> {
        let (old_form, email) = (trimmed_lowercase(typed), canonical_email(typed));
        let mut found = self.repository.find_by_email(&old_form).await?;
        if found.is_none() && email != old_form {
            found = self.repository.find_by_email(&email).await?;
        }
        Ok(found.map(|stored| stored.value))
    }

    /// Updates a profile. A user who changes one's own e-mail address must give the current password, so that a stolen
    /// access token is not sufficient to take over the account; the user's other sessions end. A new address is reported
    /// to the old one and gets a link to verify it.
    pub(crate) async fn update_profile(
        &self,
        requester: Requester,
        id: UserId,
        update: ProfileUpdate,
        current_password: Option<SecretString>,
    ) -> Result<UserProfile, Error> {
        let is_own = id == requester.user_id;
        let mut verified = None;
        if is_own && self.repository.find(id).await?.is_some_and(|stored| stored.value.changes_email(&update)) {
            verified = Some(self.verify_current_password(requester, current_password).await?);
        }
        let session = requester.session.filter(|_| is_own);
        let rule = |user: &mut User, now| {
            if is_own && user.changes_email(&update) && verified.as_ref() != Some(&user.password_hash) {
                return Err(Error::InvalidPassword);
            }
            let old =
                user.profile.as_ref().filter(|_| user.changes_email(&update)).map(|profile| profile.email.clone());
            let events = user.update_profile(update.clone(), session, now)?;
            let mails = old.map(|old| {
                [MailKind::EmailChanged.mail_about(user, &old, now), MailKind::EmailVerification.mail(user, now)]
            });
            Ok(Changes { events, mails: mails.into_iter().flatten().collect() })
        };
        into_profile(self.updater.update(id, rule).await?)
    }

    /// Changes the requester's password and ends all other sessions.
    pub(crate) async fn change_password(
        &self,
        requester: Requester,
        current: SecretString,
        new: SecretString,
    ) -> Result<(), Error> {
        let verified = self.verify_current_password(requester, Some(current)).await?;
        let new = self.passwords.hash(new).await?;
        let rule = |user: &mut User, now| {
            // The password was changed meanwhile: the given one is no longer the current one.
            if user.password_hash != verified {
                return Err(Error::InvalidPassword);
            }
            let events = user.set_password(new.clone(), requester.session, now);
            Ok(Changes { events, mails: vec![MailKind::PasswordChanged.mail_to_present_address(user, now)] })
        };
        self.updater.update(requester.user_id, rule).await.map(drop)
    }

    /// Replaces the hash of a verified password by one in the current form, unless the password was changed meanwhile.
    pub(super) async fn rehash_password(&self, verified: &User, password: SecretString) -> Result<User, Error> {
        let new = self.passwords.hash(password).await?;
        let rule = |user: &mut User, _| {
            if user.password_hash == verified.password_hash {
                user.password_hash.clone_from(&new);
            }
            Ok(Changes::default())
        };
        self.updater.update(verified.id, rule).await
    }

    /// Changes the role of an account.
    pub(crate) async fn set_role(&self, id: UserId, role: AccountRole) -> Result<UserProfile, Error> {
        let rule = |user: &mut User, now| Ok(user.set_role(role, now));
        let user = match role {
            AccountRole::Admin => self.updater.update(id, rule).await?,
            AccountRole::User => self.updater.update_unless_last_admin(id, rule).await?,
        };
        into_profile(user)
    }

    /// Deletes an account. A user who deletes one's own account must give the current password.
    pub(crate) async fn delete(
        &self,
        requester: Requester,
        id: UserId,
        current_password: Option<SecretString>,
    ) -> Result<(), Error> {
        let mut verified = None;
        if id == requester.user_id {
            verified = Some(self.verify_current_password(requester, current_password).await?);
        }
        let rule = |user: &mut User, now| {
            // The password was changed meanwhile: the given one is no longer the current one.
            if verified.as_ref().is_some_and(|hash| *hash != user.password_hash) {
                return Err(Error::InvalidPassword);
            }
            Ok(user.delete(now))
        };
        self.updater.update_unless_last_admin(id, rule).await.map(drop)
    }

    /// Removes expired failed logins, expired revocations and deleted accounts.
    pub(crate) async fn purge(&self) -> Result<(), Error> {
        Ok(self.repository.purge(self.clock.now()).await?)
    }

    /// Frees the memory of password hashes that are not being computed.
    pub(crate) fn release_password_memory(&self) {
        self.passwords.release_memory();
    }

    /// Verifies the requester's current password and returns its stored hash.
    async fn verify_current_password(
        &self,
        requester: Requester,
        password: Option<SecretString>,
    ) -> Result<String, Error> {
        let user = self.repository.find(requester.user_id).await?.ok_or(Error::NotFound)?.value;
        self.throttle.verify_current_password(user, password, requester.address).await
    }
}

fn into_profile(user: User) -> Result<UserProfile, Error> {
    UserProfile::from_user(user).ok_or(Error::NotFound)
}
