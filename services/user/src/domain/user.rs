//! User aggregate: profile, password and sessions, which change together.

use chrono::{DateTime, Utc};
use contracts::event::{UserAccessRevoked, UserCreated, UserDeleted, UserUpdated};
use contracts::{Event, UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    AccountRole, IncompleteAddress, Profile, ProfileUpdate, RefreshOutcome, RefreshToken, RevocationReason, Session,
    StoredLink,
};

mod links;

/// Maximum number of sessions of a user; the oldest end first.
const MAX_SESSIONS: usize = 50;
/// Maximum number of known networks of an account; the oldest are dropped first.
const MAX_NETWORKS: usize = 10;

/// User as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Id of the account.
    pub id: UserId,
    /// Personal data; `None` once the user is deleted.
    pub profile: Option<Profile>,
    /// Role of the account.
    pub role: AccountRole,
    /// Hash of the password.
    pub password_hash: String,
    /// Sessions that have not ended.
    pub sessions: Vec<Session>,
    /// Time of registration.
    pub created_at: DateTime<Utc>,
    /// Time of the last change.
    pub updated_at: DateTime<Utc>,
    /// Hashes of the networks of the last sign-ins, newest last.
    #[serde(default)]
    pub known_networks: Vec<String>,
    /// Latest unused link to reset the password.
    #[serde(default)]
    pub reset_link: Option<StoredLink>,
    /// Latest unused link to verify the e-mail address.
    #[serde(default)]
    pub verification_link: Option<StoredLink>,
    /// Version of the account's rights (claim `av`), raised by a change of role, by deletion and by a password reset.
    ///
    /// Not part of the document: each store has a field of its own for it, which an instance of the previous version
    /// leaves unchanged when it rewrites the document.
    #[serde(skip)]
    pub access_version: i64,
}

impl User {
    /// Creates a user and the event of the registration.
    #[must_use]
    pub fn register(
        profile: Profile,
        role: AccountRole,
        password_hash: String,
        now: DateTime<Utc>,
    ) -> (Self, Vec<Event>) {
        let id = UserId::generate(now);
        let created = UserCreated {
            user_id: id,
            email: profile.email.clone(),
            first_name: profile.first_name.clone(),
            last_name: profile.last_name.clone(),
        };
        let user = Self {
            id,
            profile: Some(profile),
            role,
            password_hash,
            sessions: Vec::new(),
            created_at: now,
            updated_at: now,
            known_networks: Vec::new(),
            reset_link: None,
            verification_link: None,
            access_version: 0,
        };
        (user, vec![Event::UserCreated(created)])
    }

    /// Returns whether the update gives the account another e-mail address.
    #[must_use]
    pub fn changes_email(&self, update: &ProfileUpdate) -> bool {
        let stored = self.profile.as_ref().map(|profile| &profile.email);
        update.email.as_ref().is_some_and(|email| Some(email) != stored)
    }

    /// Updates the profile. The event names the changed fields; an update without a difference causes no event. A new
    /// e-mail address ends all sessions except `current_session` and voids the links that were sent.
    ///
    /// # Errors
    /// [`IncompleteAddress`] if a part of a new address is missing.
    pub fn update_profile(
        &mut self,
        update: ProfileUpdate,
        current_session: Option<Uuid>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Event>, IncompleteAddress> {
        let new_email = self.changes_email(&update);
        let Some(profile) = &mut self.profile else { return Ok(Vec::new()) };
        let changes = profile.apply(update)?;
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let mut events = vec![self.mark_updated(&changes, now)];
        if new_email {
            self.reset_link = None;
            self.verification_link = None;
            let ended = self.remove_sessions(|session| Some(session.id) != current_session);
            events.extend(self.revocation(None, &ended, RevocationReason::EmailChanged));
        }
        Ok(events)
    }

    /// Changes the role.
    pub fn set_role(&mut self, role: AccountRole, now: DateTime<Utc>) -> Vec<Event> {
        if self.role == role {
            return Vec::new();
        }
        self.role = role;
        self.access_version += 1;
        let mut events = vec![self.mark_updated(&["role"], now)];
        events.extend(self.revocation(Some(self.access_version), &[], RevocationReason::RoleChanged));
        events
    }

    /// Changes the password, ends all sessions except `current_session`, and voids the link to reset it.
    pub fn set_password(&mut self, hash: String, current_session: Option<Uuid>, now: DateTime<Utc>) -> Vec<Event> {
        self.password_hash = hash;
        self.reset_link = None;
        let mut events = vec![self.mark_updated(&["password"], now)];
        let ended = self.remove_sessions(|session| Some(session.id) != current_session);
        events.extend(self.revocation(None, &ended, RevocationReason::PasswordChanged));
        events
    }

    /// Removes all personal data and ends all sessions.
    pub fn delete(&mut self, now: DateTime<Utc>) -> Vec<Event> {
        self.profile = None;
        self.password_hash.clear();
        self.known_networks.clear();
        self.reset_link = None;
        self.verification_link = None;
        self.updated_at = now;
        self.access_version += 1;
        let mut events = vec![Event::UserDeleted(UserDeleted { user_id: self.id })];
        let ended = self.remove_sessions(|_| true);
        events.extend(self.revocation(Some(self.access_version), &ended, RevocationReason::Deleted));
        events
    }

    /// Replaces the e-mail address `stored` by its normalised form, unless the address was changed meanwhile.
    #[must_use]
    pub fn normalize_email(&mut self, stored: &str, normalized: &str, now: DateTime<Utc>) -> Vec<Event> {
        match &mut self.profile {
            Some(profile) if profile.email == stored => normalized.clone_into(&mut profile.email),
            _ => return Vec::new(),
        }
        vec![self.mark_updated(&["email"], now)]
    }

    /// Adds the hash of a network of a successful sign-in.
    pub fn add_known_network(&mut self, network: String) {
        self.known_networks.retain(|known| *known != network);
        let surplus = (self.known_networks.len() + 1).saturating_sub(MAX_NETWORKS);
        self.known_networks.drain(..surplus);
        self.known_networks.push(network);
    }

    /// Adds a session. Expired sessions end, and the oldest ones if there are too many.
    #[must_use]
    pub fn add_session(&mut self, session: Session, now: DateTime<Utc>) -> Vec<Event> {
        self.sessions.retain(|session| session.expires_at > now);
        let surplus = (self.sessions.len() + 1).saturating_sub(MAX_SESSIONS);
        let ended: Vec<_> = self.sessions.drain(..surplus).map(|session| session.id).collect();
        self.sessions.push(session);
        self.revocation(None, &ended, RevocationReason::TooManySessions).into_iter().collect()
    }

    /// Returns whether a session has not ended.
    #[must_use]
    pub fn has_session(&self, id: Uuid, now: DateTime<Utc>) -> bool {
        self.sessions.iter().any(|session| session.id == id && session.expires_at > now)
    }

    /// Exchanges a refresh token for its successor. A reused token ends the session.
    #[must_use]
    pub fn refresh_session(&mut self, presented: &RefreshToken, now: DateTime<Utc>) -> (RefreshOutcome, Vec<Event>) {
        let mut sessions = self.sessions.iter_mut();
        let session = sessions.find(|session| session.id == presented.session && session.expires_at > now);
        let outcome = session.map_or(RefreshOutcome::Unknown, |session| session.refresh(presented, now));
        let events = match outcome {
            RefreshOutcome::Reused => self.end_session(presented.session, RevocationReason::RefreshTokenReused),
            RefreshOutcome::Rotated(_) | RefreshOutcome::Unknown => Vec::new(),
        };
        (outcome, events)
    }

    /// Removes the stored successors of refresh tokens whose grace period has ended.
    pub fn remove_expired_successors(&mut self, now: DateTime<Utc>) {
        self.sessions.iter_mut().for_each(|session| session.remove_expired_successors(now));
    }

    /// Ends all sessions except `current_session`.
    #[must_use]
    pub fn end_other_sessions(&mut self, current_session: Option<Uuid>) -> Vec<Event> {
        let ended = self.remove_sessions(|session| Some(session.id) != current_session);
        self.revocation(None, &ended, RevocationReason::SignedOut).into_iter().collect()
    }

    /// Ends a session.
    #[must_use]
    pub fn end_session(&mut self, id: Uuid, reason: RevocationReason) -> Vec<Event> {
        let ended = self.remove_sessions(|session| session.id == id);
        self.revocation(None, &ended, reason).into_iter().collect()
    }

    /// Removes the selected sessions and returns their ids.
    fn remove_sessions(&mut self, is_selected: impl Fn(&Session) -> bool) -> Vec<Uuid> {
        self.sessions.extract_if(.., |session| is_selected(session)).map(|session| session.id).collect()
    }

    /// Returns the event `user.access_revoked`, or `None` if nothing was revoked.
    fn revocation(&self, min_version: Option<i64>, sessions: &[Uuid], reason: RevocationReason) -> Option<Event> {
        if min_version.is_none() && sessions.is_empty() {
            return None;
        }
        Some(Event::UserAccessRevoked(UserAccessRevoked {
            user_id: self.id,
            min_version,
            session_ids: sessions.iter().map(Uuid::to_string).collect(),
            reason: reason.as_str().to_owned(),
        }))
    }

    /// Sets the time of the change and returns the event `user.updated`.
    fn mark_updated(&mut self, changes: &[&str], now: DateTime<Utc>) -> Event {
        self.updated_at = now;
        let changes = changes.iter().map(|name| (*name).to_owned()).collect();
        Event::UserUpdated(UserUpdated { user_id: self.id, changes })
    }
}

#[cfg(test)]
mod tests;
