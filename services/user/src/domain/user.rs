//! A user: profile, password and sessions, which change together.

use chrono::{DateTime, NaiveDate, Utc};
use common::auth::Role;
use common::effects::Effects;
use contracts::event::{UserAccessRevoked, UserCreated, UserDeleted, UserUpdated};
use contracts::{Event, UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Session;

/// Sessions that a person may have; the oldest end when there are more.
const MAX_SESSIONS: usize = 50;

/// Networks of an account that are remembered; the oldest are forgotten.
const MAX_NETWORKS: usize = 10;

/// A postal address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names say it")]
pub struct Address {
    pub street: String,
    pub city: String,
    pub state: String,
    pub zip_code: String,
    pub country: String,
}

/// Change of a postal address; what is `None` stays.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the names are those of the address")]
pub struct AddressChange {
    pub street: Option<String>,
    pub city: Option<String>,
    pub state: Option<String>,
    pub zip_code: Option<String>,
    pub country: Option<String>,
}

/// The parts that an address lacks, by their names in the API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an address lacks {}", .0.join(", "))]
pub struct IncompleteAddress(pub Vec<&'static str>);

impl AddressChange {
    /// Merges the change with the stored address.
    ///
    /// # Errors
    /// If a part is neither given nor stored.
    pub fn apply(self, stored: Option<Address>) -> Result<Address, IncompleteAddress> {
        let (street, city, state, zip_code, country) = match stored {
            Some(Address { street, city, state, zip_code, country }) => {
                (Some(street), Some(city), Some(state), Some(zip_code), Some(country))
            }
            None => Default::default(),
        };
        let mut missing = Vec::new();
        let mut part = |name: &'static str, given: Option<String>, stored: Option<String>| {
            given.or(stored).unwrap_or_else(|| {
                missing.push(name);
                String::new()
            })
        };
        let address = Address {
            street: part("street", self.street, street),
            city: part("city", self.city, city),
            state: part("state", self.state, state),
            zip_code: part("zipCode", self.zip_code, zip_code),
            country: part("country", self.country, country),
        };
        if missing.is_empty() { Ok(address) } else { Err(IncompleteAddress(missing)) }
    }
}

/// How the shop's pages look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Theme {
    #[default]
    Light,
    Dark,
}

/// What a person likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Preferences {
    pub notifications: bool,
    pub newsletter: bool,
    pub theme: Theme,
}

impl Default for Preferences {
    /// The defaults of the older service's schema.
    fn default() -> Self {
        Self { notifications: true, newsletter: false, theme: Theme::Light }
    }
}

/// What a person tells of themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the user's fields")]
pub struct Profile {
    pub email: String,
    #[serde(default)]
    pub email_verified: bool,
    pub first_name: String,
    pub last_name: String,
    pub date_of_birth: Option<NaiveDate>,
    pub phone_number: Option<String>,
    pub address: Option<Address>,
    pub preferences: Preferences,
}

/// What is to be changed of a profile; what is `None` stays, an inner `None` removes.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the names are those of the user's fields")]
pub struct Change {
    pub email: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub date_of_birth: Option<Option<NaiveDate>>,
    pub phone_number: Option<Option<String>>,
    pub address: Option<Option<AddressChange>>,
    pub notifications: Option<bool>,
    pub newsletter: Option<bool>,
    pub theme: Option<Theme>,
}

/// A user as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// What they told; nothing once they are deleted.
    pub profile: Option<Profile>,
    /// `user` or `admin`.
    pub role: Role,
    /// The password's hash.
    pub password_hash: String,
    /// The sessions that have not ended.
    pub sessions: Vec<Session>,
    /// When they registered.
    pub created_at: DateTime<Utc>,
    /// When they last changed.
    pub updated_at: DateTime<Utc>,
    /// Hashes of the networks from which somebody signed in last, the newest at the end.
    #[serde(default)]
    pub known_networks: Vec<String>,
    /// Version of the account's rights (claim `av`); raised by a change of role and by deletion.
    ///
    /// Not part of the document: each store keeps it in a field of its own, which an instance of the version before
    /// leaves alone when it rewrites the document.
    #[serde(skip)]
    pub access_version: i64,
}

/// Cause of a revocation, as `user.access_revoked` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationReason {
    /// The account got another role.
    RoleChanged,
    /// The account was deleted.
    Deleted,
    /// The person signed out.
    SignedOut,
    /// The password was changed in another session.
    PasswordChanged,
    /// The e-mail address was changed in another session.
    EmailChanged,
    /// A refresh token was used again after its grace period.
    RefreshTokenReused,
    /// A newer session took the place of the oldest one.
    TooManySessions,
}

impl RevocationReason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::RoleChanged => "role_changed",
            Self::Deleted => "deleted",
            Self::SignedOut => "signed_out",
            Self::PasswordChanged => "password_changed",
            Self::EmailChanged => "email_changed",
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::TooManySessions => "too_many_sessions",
        }
    }
}

impl User {
    /// A new one, and the event of it.
    #[must_use]
    pub fn register(profile: Profile, role: Role, password_hash: String, now: DateTime<Utc>) -> (Self, Effects) {
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
            access_version: 0,
        };
        (user, Effects::of(now, Event::UserCreated(created)))
    }

    /// Returns whether the change gives the account another e-mail address.
    #[must_use]
    pub fn changes_email(&self, change: &Change) -> bool {
        let stored = self.profile.as_ref().map(|profile| &profile.email);
        change.email.as_ref().is_some_and(|email| Some(email) != stored)
    }

    /// Changes the profile; the event names what differs, and there is none if nothing does. A new e-mail address is
    /// unverified, and all sessions but `kept` end.
    ///
    /// # Errors
    /// If a part of a new address is missing.
    pub fn change(
        &mut self,
        change: Change,
        kept: Option<Uuid>,
        now: DateTime<Utc>,
    ) -> Result<Effects, IncompleteAddress> {
        let new_email = self.changes_email(&change);
        let Some(profile) = &mut self.profile else { return Ok(Effects::none()) };
        let before = profile.clone();
        profile.email_verified &= !new_email;
        set(&mut profile.email, change.email);
        set(&mut profile.first_name, change.first_name);
        set(&mut profile.last_name, change.last_name);
        set(&mut profile.date_of_birth, change.date_of_birth);
        set(&mut profile.phone_number, change.phone_number);
        if let Some(address) = change.address {
            let stored = profile.address.take();
            profile.address = address.map(|address| address.apply(stored)).transpose()?;
        }
        set(&mut profile.preferences.notifications, change.notifications);
        set(&mut profile.preferences.newsletter, change.newsletter);
        set(&mut profile.preferences.theme, change.theme);
        let changes: Vec<_> = [
            ("email", profile.email != before.email),
            ("firstName", profile.first_name != before.first_name),
            ("lastName", profile.last_name != before.last_name),
            ("dateOfBirth", profile.date_of_birth != before.date_of_birth),
            ("phoneNumber", profile.phone_number != before.phone_number),
            ("address", profile.address != before.address),
            ("preferences", profile.preferences != before.preferences),
        ]
        .into_iter()
        .filter(|(_, differs)| *differs)
        .map(|(name, _)| name)
        .collect();
        if changes.is_empty() {
            return Ok(Effects::none());
        }
        let mut effects = self.updated(&changes, now);
        if new_email {
            let ended = self.remove_sessions(|session| Some(session.id) != kept);
            self.push_revocation(&mut effects, None, &ended, RevocationReason::EmailChanged, now);
        }
        Ok(effects)
    }

    /// Gives them another role.
    pub fn set_role(&mut self, role: Role, now: DateTime<Utc>) -> Effects {
        if self.role == role {
            return Effects::none();
        }
        self.role = role;
        self.access_version += 1;
        let mut effects = self.updated(&["role"], now);
        self.push_revocation(&mut effects, Some(self.access_version), &[], RevocationReason::RoleChanged, now);
        effects
    }

    /// Gives them another password; all sessions but `kept` end.
    pub fn set_password(&mut self, hash: String, kept: Option<Uuid>, now: DateTime<Utc>) -> Effects {
        self.password_hash = hash;
        let mut effects = self.updated(&["password"], now);
        let ended = self.remove_sessions(|session| Some(session.id) != kept);
        self.push_revocation(&mut effects, None, &ended, RevocationReason::PasswordChanged, now);
        effects
    }

    /// Removes what is personal, and ends all sessions.
    pub fn delete(&mut self, now: DateTime<Utc>) -> Effects {
        self.profile = None;
        self.password_hash.clear();
        self.known_networks.clear();
        self.updated_at = now;
        self.access_version += 1;
        let mut effects = Effects::of(now, Event::UserDeleted(UserDeleted { user_id: self.id }));
        let ended = self.remove_sessions(|_| true);
        self.push_revocation(&mut effects, Some(self.access_version), &ended, RevocationReason::Deleted, now);
        effects
    }

    /// Writes the e-mail address `stored` in its normalised form, unless it was changed since.
    #[must_use]
    pub fn normalize_email(&mut self, stored: &str, normalized: &str, now: DateTime<Utc>) -> Effects {
        match &mut self.profile {
            Some(profile) if profile.email == stored => normalized.clone_into(&mut profile.email),
            _ => return Effects::none(),
        }
        self.updated(&["email"], now)
    }

    /// Remembers a network, by its hash, from which somebody signed in.
    pub fn remember_network(&mut self, network: String) {
        self.known_networks.retain(|known| *known != network);
        let surplus = (self.known_networks.len() + 1).saturating_sub(MAX_NETWORKS);
        self.known_networks.drain(..surplus);
        self.known_networks.push(network);
    }

    /// Adds a session; those that ran out end, and the oldest where there are too many.
    #[must_use]
    pub fn begin_session(&mut self, session: Session, now: DateTime<Utc>) -> Effects {
        self.sessions.retain(|session| session.expires_at > now);
        let surplus = (self.sessions.len() + 1).saturating_sub(MAX_SESSIONS);
        let ended: Vec<_> = self.sessions.drain(..surplus).map(|session| session.id).collect();
        self.sessions.push(session);
        let mut effects = Effects::none();
        self.push_revocation(&mut effects, None, &ended, RevocationReason::TooManySessions, now);
        effects
    }

    /// A session that has not ended.
    #[must_use]
    pub fn session(&mut self, id: Uuid, now: DateTime<Utc>) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.id == id && session.expires_at > now)
    }

    /// Forgets the successors of refresh tokens whose grace period is over.
    pub fn forget_successors(&mut self, now: DateTime<Utc>) {
        self.sessions.iter_mut().for_each(|session| session.forget_successors(now));
    }

    /// Ends a session.
    #[must_use]
    pub fn end_session(&mut self, id: Uuid, reason: RevocationReason, now: DateTime<Utc>) -> Effects {
        let ended = self.remove_sessions(|session| session.id == id);
        let mut effects = Effects::none();
        self.push_revocation(&mut effects, None, &ended, reason, now);
        effects
    }

    /// Removes the sessions that `ends` selects and returns their ids.
    fn remove_sessions(&mut self, ends: impl Fn(&Session) -> bool) -> Vec<Uuid> {
        self.sessions.extract_if(.., |session| ends(session)).map(|session| session.id).collect()
    }

    /// Adds `user.access_revoked` to `effects`, unless nothing was revoked.
    fn push_revocation(
        &self,
        effects: &mut Effects,
        min_version: Option<i64>,
        sessions: &[Uuid],
        reason: RevocationReason,
        now: DateTime<Utc>,
    ) {
        if min_version.is_none() && sessions.is_empty() {
            return;
        }
        let revoked = UserAccessRevoked {
            user_id: self.id,
            min_version,
            session_ids: sessions.iter().map(Uuid::to_string).collect(),
            reason: reason.as_str().to_owned(),
        };
        effects.push(now, Event::UserAccessRevoked(revoked));
    }

    fn updated(&mut self, changes: &[&str], now: DateTime<Utc>) -> Effects {
        self.updated_at = now;
        let changes = changes.iter().map(|name| (*name).to_owned()).collect();
        Effects::of(now, Event::UserUpdated(UserUpdated { user_id: self.id, changes }))
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap()
    }

    fn user() -> User {
        let profile = Profile {
            email: "john@example.com".to_owned(),
            email_verified: true,
            first_name: "John".to_owned(),
            last_name: "Doe".to_owned(),
            date_of_birth: None,
            phone_number: Some("+1 555 0100".to_owned()),
            address: None,
            preferences: Preferences::default(),
        };
        User::register(profile, Role::User, "hash".to_owned(), at(0)).0
    }

    fn told(effects: &Effects) -> Vec<String> {
        match &effects.events[0].event {
            Event::UserUpdated(updated) => updated.changes.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// The lowest version, the sessions and the reason of the one revocation among the effects.
    fn revoked(effects: &Effects) -> (Option<i64>, Vec<String>, String) {
        let revoked = effects.events.iter().filter_map(|event| match &event.event {
            Event::UserAccessRevoked(revoked) => Some(revoked.clone()),
            _ => None,
        });
        let [revoked] = revoked.collect::<Vec<_>>().try_into().unwrap();
        (revoked.min_version, revoked.session_ids, revoked.reason)
    }

    fn begin(user: &mut User, second: i64) -> Session {
        let session = Session::begin(user.id, at(second)).0;
        assert_eq!(user.begin_session(session.clone(), at(second)), Effects::none());
        session
    }

    #[test]
    fn a_change_names_what_differs_and_not_its_values() {
        let mut user = user();
        let change = Change {
            first_name: Some("John".to_owned()),
            last_name: Some("Smith".to_owned()),
            phone_number: Some(None),
            theme: Some(Theme::Dark),
            ..Change::default()
        };
        let effects = user.change(change.clone(), None, at(1)).unwrap();
        assert_eq!(told(&effects), ["lastName", "phoneNumber", "preferences"]);
        assert_eq!(user.updated_at, at(1));
        assert_eq!(user.change(change, None, at(2)), Ok(Effects::none()), "the same again is no change");
        assert_eq!(user.updated_at, at(1));
        let preferences = user.profile.unwrap().preferences;
        assert_eq!(preferences, Preferences { theme: Theme::Dark, ..Preferences::default() });
    }

    #[test]
    fn partial_address_is_merged_with_the_stored_one() {
        let mut user = user();
        let city = |city: &str| Change {
            address: Some(Some(AddressChange { city: Some(city.to_owned()), ..AddressChange::default() })),
            ..Change::default()
        };
        let missing = user.clone().change(city("Berlin"), None, at(1)).unwrap_err();
        assert_eq!(missing.0, ["street", "state", "zipCode", "country"]);
        let text = |text: &str| Some(text.to_owned());
        let whole = AddressChange {
            street: text("1 High St"),
            city: text("London"),
            state: text("London"),
            zip_code: text("E1"),
            country: text("GB"),
        };
        let whole = Change { address: Some(Some(whole)), ..Change::default() };
        assert_eq!(told(&user.change(whole, None, at(1)).unwrap()), ["address"]);
        assert_eq!(told(&user.change(city("Berlin"), None, at(2)).unwrap()), ["address"]);
        let address = user.profile.as_ref().unwrap().address.clone().unwrap();
        assert_eq!((address.street.as_str(), address.city.as_str()), ("1 High St", "Berlin"));
        let clear = Change { address: Some(None), ..Change::default() };
        assert_eq!(told(&user.change(clear, None, at(3)).unwrap()), ["address"]);
        assert_eq!(user.profile.unwrap().address, None);
    }

    #[test]
    fn new_email_is_unverified_and_ends_the_other_sessions() {
        let mut user = user();
        let (phone, desk) = (begin(&mut user, 0), begin(&mut user, 0));
        let email = |email: &str| Change { email: Some(email.to_owned()), ..Change::default() };
        assert_eq!(user.change(email("john@example.com"), None, at(1)), Ok(Effects::none()));
        let effects = user.change(email("doe@example.com"), Some(desk.id), at(2)).unwrap();
        assert_eq!(told(&effects), ["email"]);
        assert_eq!(revoked(&effects), (None, vec![phone.id.to_string()], "email_changed".to_owned()));
        assert!(!user.profile.unwrap().email_verified);
    }

    #[test]
    fn a_new_password_ends_the_other_sessions() {
        let mut user = user();
        let sessions: Vec<_> = (0..3).map(|_| begin(&mut user, 0)).collect();
        let effects = user.set_password("new".to_owned(), Some(sessions[1].id), at(1));
        assert_eq!(told(&effects), ["password"]);
        let ended = vec![sessions[0].id.to_string(), sessions[2].id.to_string()];
        assert_eq!(revoked(&effects), (None, ended, "password_changed".to_owned()));
        assert_eq!(user.sessions, [sessions[1].clone()]);
        let effects = user.set_password("newer".to_owned(), Some(sessions[1].id), at(2));
        assert_eq!(effects.events.len(), 1, "no other session ended");
    }

    #[test]
    fn revocation_names_what_ended() {
        let mut user = user();
        let (phone, desk) = (begin(&mut user, 0), begin(&mut user, 0));
        let effects = user.set_role(Role::Admin, at(1));
        assert_eq!(revoked(&effects), (Some(1), Vec::new(), "role_changed".to_owned()));
        assert_eq!(user.set_role(Role::Admin, at(2)), Effects::none());
        let effects = user.end_session(phone.id, RevocationReason::SignedOut, at(3));
        assert_eq!(revoked(&effects), (None, vec![phone.id.to_string()], "signed_out".to_owned()));
        assert_eq!(user.end_session(phone.id, RevocationReason::SignedOut, at(4)), Effects::none());
        let effects = user.delete(at(5));
        assert_eq!(revoked(&effects), (Some(2), vec![desk.id.to_string()], "deleted".to_owned()));
    }

    #[test]
    fn the_oldest_sessions_end_when_there_are_too_many_and_those_that_ran_out() {
        let mut user = user();
        let first = begin(&mut user, 0);
        for _ in 1..MAX_SESSIONS {
            begin(&mut user, 1);
        }
        let effects = user.begin_session(Session::begin(user.id, at(1)).0, at(1));
        assert_eq!(revoked(&effects), (None, vec![first.id.to_string()], "too_many_sessions".to_owned()));
        assert_eq!(user.sessions.len(), MAX_SESSIONS);
        assert!(user.session(first.id, at(1)).is_none());
        let late = at(2) + super::super::SESSION_LIFE;
        let effects = user.begin_session(Session::begin(user.id, late).0, late);
        assert_eq!((effects, user.sessions.len()), (Effects::none(), 1), "tokens of those that ran out ran out before");
    }

    #[test]
    fn nothing_personal_is_left_of_the_deleted() {
        let mut user = user();
        begin(&mut user, 0);
        user.remember_network("network".to_owned());
        let effects = user.delete(at(1));
        assert!(matches!(effects.events[0].event, Event::UserDeleted(_)));
        assert_eq!((user.profile, user.password_hash, user.sessions), (None, String::new(), Vec::new()));
        assert!(user.known_networks.is_empty());
    }

    #[test]
    fn last_networks_are_remembered() {
        let mut user = user();
        for network in (0..MAX_NETWORKS + 2).chain([3]) {
            user.remember_network(network.to_string());
        }
        assert_eq!(user.known_networks, ["2", "4", "5", "6", "7", "8", "9", "10", "11", "3"]);
    }
}
