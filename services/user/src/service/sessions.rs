//! Sessions: registration, sign-in, refresh, sign-out and the feed of revocations.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use common::telemetry::clock::SharedClock;
use contracts::UserId;
use contracts::api::Revocation;
use secrecy::SecretString;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::account_updater::Changes;
use super::accounts::{AccountService, ClientInfo};
use super::email::canonical_email;
use super::passwords::PasswordCheck;
use super::profile::UserProfile;
use super::token_issuer::{ACCESS_TOKEN_TTL, TokenIssuer};
use crate::domain::{
    AccountRole, Profile, REFRESH_GRACE_PERIOD, RefreshOutcome, RefreshToken, RevocationReason, Session, User,
};
use crate::error::Error;

/// Tokens of a session.
pub(crate) struct SessionTokens {
    pub(crate) access_token: String,
    pub(crate) refresh_token: SecretString,
    /// Remaining lifetime of the access token.
    pub(crate) expires_in: TimeDelta,
}

/// Account and tokens of a new session.
pub(crate) struct SignedIn {
    pub(crate) profile: UserProfile,
    pub(crate) tokens: SessionTokens,
}

/// Session that has not ended, as its user sees it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Session)]
pub(crate) struct ActiveSession {
    id: Uuid,
    created_at: DateTime<Utc>,
    last_used_at: DateTime<Utc>,
    /// Client of the sign-in, as it names itself.
    user_agent: Option<String>,
    /// True for the session of the request.
    current: bool,
}

impl ActiveSession {
    /// Returns the sessions of a user that have not ended, latest sign-in first.
    pub(crate) fn of_user(user: &User, current: Option<Uuid>, now: DateTime<Utc>) -> Vec<Self> {
        let active = user.sessions.iter().rev().filter(|session| session.expires_at > now);
        let sessions = active.map(|session| Self {
            id: session.id,
            created_at: session.created_at(),
            last_used_at: session.last_used_at(),
            user_agent: session.user_agent.clone(),
            current: Some(session.id) == current,
        });
        sessions.collect()
    }
}

/// Time and account of each refresh by this instance within the grace period, oldest first.
type RecentRefreshes = VecDeque<(DateTime<Utc>, UserId)>;

/// Use cases of sessions. Clones share everything.
#[derive(Clone)]
pub(crate) struct SessionService {
    accounts: AccountService,
    issuer: TokenIssuer,
    clock: SharedClock,
    recent_refreshes: Arc<Mutex<RecentRefreshes>>,
}

impl SessionService {
    pub(crate) fn new(accounts: AccountService, issuer: TokenIssuer, clock: SharedClock) -> Self {
        Self { accounts, issuer, clock, recent_refreshes: Arc::default() }
    }

    /// Registers a user, who is signed in with the registration.
    pub(crate) async fn register(
        &self,
        profile: Profile,
        password: SecretString,
        client: ClientInfo,
    ) -> Result<SignedIn, Error> {
        let (user, token) = self.accounts.register(profile, AccountRole::User, password, Some(client)).await?;
        self.signed_in(user, &token)
    }

    /// Signs a user in.
    pub(crate) async fn login(
        &self,
        email: &str,
        password: SecretString,
        client: ClientInfo,
    ) -> Result<SignedIn, Error> {
        let user = self.authenticate(email, password, client.address).await?;
        let (mut session, token) = Session::start(user.id, self.clock.now());
        session.user_agent = client.user_agent;
        let network = super::login_throttle::known_network(user.id, client.address);
        let rule = |current: &mut User, now| {
            // The password was changed since it was verified.
            if current.password_hash != user.password_hash {
                return Err(Error::InvalidCredentials);
            }
            current.add_known_network(network.clone());
            Ok(current.add_session(session.clone(), now))
        };
        match self.accounts.updater.update(user.id, rule).await {
            // The account was deleted meanwhile.
            Err(Error::NotFound) => Err(Error::InvalidCredentials),
            updated => self.signed_in(updated?, &token),
        }
    }

    /// Exchanges a refresh token for new tokens of its session.
    ///
    /// Within the grace period every use of a token returns the same successor; a later use ends the session.
    pub(crate) async fn refresh(&self, token: &str) -> Result<SessionTokens, Error> {
        let presented = RefreshToken::parse(token).ok_or(Error::InvalidRefreshToken)?;
        let mut outcome = RefreshOutcome::Unknown;
        let rule = |user: &mut User, now| {
            let events;
            (outcome, events) = user.refresh_session(&presented, now);
            Ok(events)
        };
        let user = match self.accounts.updater.update(presented.user_id, rule).await {
            Err(Error::NotFound) => return Err(Error::InvalidRefreshToken),
            updated => updated?,
        };
        match outcome {
            RefreshOutcome::Rotated(next) => {
                self.recent_refreshes().push_back((self.clock.now(), user.id));
                Ok(self.issue(&user, &next))
            }
            RefreshOutcome::Reused => {
                tracing::warn!(user.id = %user.id, session.id = %presented.session, "refresh token reused, session ended");
                Err(Error::InvalidRefreshToken)
            }
            RefreshOutcome::Unknown => Err(Error::InvalidRefreshToken),
        }
    }

    /// Ends a session of a user.
    pub(crate) async fn logout(&self, user_id: UserId, session: Option<Uuid>) -> Result<(), Error> {
        let rule = |user: &mut User, _| {
            Ok(session.map_or_else(Vec::new, |session| user.end_session(session, RevocationReason::SignedOut)))
        };
        self.accounts.updater.update(user_id, rule).await.map(drop)
    }

    /// Lists the sessions of a user, latest sign-in first; `current` is the session of the request.
    pub(crate) async fn list(&self, user_id: UserId, current: Option<Uuid>) -> Result<Vec<ActiveSession>, Error> {
        let user = self.accounts.stored(user_id).await?;
        Ok(ActiveSession::of_user(&user, current, self.clock.now()))
    }

    /// Returns all personal data of an account: the profile and the sessions.
    pub(crate) async fn export(
        &self,
        user_id: UserId,
        current: Option<Uuid>,
    ) -> Result<(UserProfile, Vec<ActiveSession>), Error> {
        let user = self.accounts.stored(user_id).await?;
        let sessions = ActiveSession::of_user(&user, current, self.clock.now());
        Ok((UserProfile::from_user(user).ok_or(Error::NotFound)?, sessions))
    }

    /// Ends a session of a user.
    pub(crate) async fn end(&self, user_id: UserId, session: Uuid) -> Result<(), Error> {
        let rule = |user: &mut User, now| match user.has_session(session, now) {
            true => Ok(user.end_session(session, RevocationReason::SignedOut)),
            false => Err(Error::SessionNotFound),
        };
        self.accounts.updater.update(user_id, rule).await.map(drop)
    }

    /// Ends all sessions of a user except `current`.
    pub(crate) async fn end_others(&self, user_id: UserId, current: Option<Uuid>) -> Result<(), Error> {
        self.accounts.updater.update(user_id, |user, _| Ok(user.end_other_sessions(current))).await.map(drop)
    }

    /// Lists the feed of revocations after a position.
    pub(crate) async fn list_revocations(&self, after: i64, limit: u32) -> Result<Vec<Revocation>, Error> {
        Ok(self.accounts.repository.list_revocations(after, limit, self.clock.now()).await?)
    }

    /// Removes the stored successors of refresh tokens whose grace period has ended. A successor that this instance
    /// misses is removed by the next refresh of its session.
    pub(crate) async fn remove_expired_successors(&self) -> Result<(), Error> {
        loop {
            let now = self.clock.now();
            let next = self.recent_refreshes().pop_front_if(|(at, _)| now - *at > REFRESH_GRACE_PERIOD);
            let Some((_, id)) = next else { return Ok(()) };
            let rule = |user: &mut User, now| {
                user.remove_expired_successors(now);
                Ok(Changes::default())
            };
            match self.accounts.updater.update(id, rule).await {
                // The account was deleted meanwhile.
                Ok(_) | Err(Error::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Verifies e-mail address and password. A hash in an old form is replaced.
    async fn authenticate(&self, email: &str, password: SecretString, address: IpAddr) -> Result<User, Error> {
        let throttle = &self.accounts.throttle;
        let user = self.accounts.find_by_email(email).await?;
        let attempt = throttle.begin_attempt(&canonical_email(email), address, user.as_ref()).await?;
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        let check = throttle.verify_attempt(attempt, password.clone(), hash).await?;
        match (check, user) {
            (PasswordCheck::Valid, Some(user)) => Ok(user),
            (PasswordCheck::ValidNeedsRehash, Some(user)) => self.accounts.rehash_password(&user, password).await,
            (PasswordCheck::Invalid, _) | (_, None) => Err(Error::InvalidCredentials),
        }
    }

    fn signed_in(&self, user: User, token: &RefreshToken) -> Result<SignedIn, Error> {
        let tokens = self.issue(&user, token);
        Ok(SignedIn { profile: UserProfile::from_user(user).ok_or(Error::NotFound)?, tokens })
    }

    fn issue(&self, user: &User, token: &RefreshToken) -> SessionTokens {
        SessionTokens {
            access_token: self.issuer.issue_user_token(user, token.session),
            refresh_token: token.text(),
            expires_in: ACCESS_TOKEN_TTL,
        }
    }

    fn recent_refreshes(&self) -> MutexGuard<'_, RecentRefreshes> {
        self.recent_refreshes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
