//! A user: profile, password and sessions, which change together.

use chrono::{DateTime, NaiveDate, Utc};
use common::auth::Role;
use common::effects::Effects;
use contracts::event::{UserCreated, UserDeleted, UserUpdated};
use contracts::{Event, UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Session;

/// Sessions that a person may have; the oldest end when there are more.
const MAX_SESSIONS: usize = 50;

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
    pub address: Option<Option<Address>>,
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
        };
        (user, Effects::of(now, Event::UserCreated(created)))
    }

    /// Changes the profile; the event names what differs, and there is none if nothing does.
    pub fn change(&mut self, change: Change, now: DateTime<Utc>) -> Effects {
        let Some(profile) = &mut self.profile else { return Effects::none() };
        let before = profile.clone();
        set(&mut profile.email, change.email);
        set(&mut profile.first_name, change.first_name);
        set(&mut profile.last_name, change.last_name);
        set(&mut profile.date_of_birth, change.date_of_birth);
        set(&mut profile.phone_number, change.phone_number);
        set(&mut profile.address, change.address);
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
        if changes.is_empty() { Effects::none() } else { self.updated(&changes, now) }
    }

    /// Gives them another role.
    pub fn set_role(&mut self, role: Role, now: DateTime<Utc>) -> Effects {
        if self.role == role {
            return Effects::none();
        }
        self.role = role;
        self.updated(&["role"], now)
    }

    /// Gives them another password; all sessions but `kept` end.
    pub fn set_password(&mut self, hash: String, kept: Option<Uuid>, now: DateTime<Utc>) -> Effects {
        self.password_hash = hash;
        self.sessions.retain(|session| Some(session.id) == kept);
        self.updated(&["password"], now)
    }

    /// Removes what is personal, and ends all sessions.
    pub fn delete(&mut self, now: DateTime<Utc>) -> Effects {
        self.profile = None;
        self.password_hash.clear();
        self.sessions.clear();
        self.updated_at = now;
        Effects::of(now, Event::UserDeleted(UserDeleted { user_id: self.id }))
    }

    /// Adds a session; those that ran out end.
    pub fn begin_session(&mut self, session: Session, now: DateTime<Utc>) {
        self.sessions.retain(|session| session.expires_at > now);
        let surplus = (self.sessions.len() + 1).saturating_sub(MAX_SESSIONS);
        self.sessions.drain(..surplus);
        self.sessions.push(session);
    }

    /// A session that has not ended.
    #[must_use]
    pub fn session(&mut self, id: Uuid, now: DateTime<Utc>) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.id == id && session.expires_at > now)
    }

    /// Ends a session.
    pub fn end_session(&mut self, id: Uuid) {
        self.sessions.retain(|session| session.id != id);
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
        match effects.events.as_slice() {
            [event] => match &event.event {
                Event::UserUpdated(updated) => updated.changes.clone(),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
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
        assert_eq!(told(&user.change(change.clone(), at(1))), ["lastName", "phoneNumber", "preferences"]);
        assert_eq!(user.updated_at, at(1));
        assert_eq!(user.change(change, at(2)), Effects::none(), "the same again is no change");
        assert_eq!(user.updated_at, at(1));
        let preferences = user.profile.unwrap().preferences;
        assert_eq!(preferences, Preferences { theme: Theme::Dark, ..Preferences::default() });
    }

    #[test]
    fn a_new_password_ends_the_other_sessions() {
        let mut user = user();
        let sessions: Vec<_> = (0..3).map(|_| Session::begin(user.id, at(0)).0).collect();
        for session in &sessions {
            user.begin_session(session.clone(), at(0));
        }
        assert_eq!(told(&user.set_password("new".to_owned(), Some(sessions[1].id), at(1))), ["password"]);
        assert_eq!(user.sessions, [sessions[1].clone()]);
    }

    #[test]
    fn the_oldest_sessions_end_when_there_are_too_many_and_those_that_ran_out() {
        let mut user = user();
        let first = Session::begin(user.id, at(0)).0;
        user.begin_session(first.clone(), at(0));
        for _ in 0..MAX_SESSIONS {
            user.begin_session(Session::begin(user.id, at(1)).0, at(1));
        }
        assert_eq!(user.sessions.len(), MAX_SESSIONS);
        assert!(user.session(first.id, at(1)).is_none());
        let late = at(2) + super::super::SESSION_LIFE;
        user.begin_session(Session::begin(user.id, late).0, late);
        assert_eq!(user.sessions.len(), 1);
    }

    #[test]
    fn nothing_personal_is_left_of_the_deleted() {
        let mut user = user();
        user.begin_session(Session::begin(user.id, at(0)).0, at(0));
        let effects = user.delete(at(1));
        assert!(matches!(effects.events[0].event, Event::UserDeleted(_)));
        assert_eq!((user.profile, user.password_hash, user.sessions), (None, String::new(), Vec::new()));
    }
}
