//! Sessions and their refresh tokens.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use contracts::UserId;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// How long a session lasts after its last refresh.
pub const SESSION_LIFE: TimeDelta = TimeDelta::days(30);
/// How long a refresh token whose answer was lost may be used once more.
pub const REFRESH_GRACE: TimeDelta = TimeDelta::seconds(10);
/// Used tokens of a session that are remembered, to know one that comes again.
const REMEMBERED: usize = 64;
/// Random bytes of a refresh token.
const SECRET_BYTES: usize = 32;

/// An opaque refresh token: whose it is, of which session, and a secret of which the hash alone is kept.
pub struct RefreshToken {
    /// Whose.
    pub user_id: UserId,
    /// Of which session.
    pub session: Uuid,
    secret: [u8; SECRET_BYTES],
}

impl RefreshToken {
    /// A new one.
    #[must_use]
    pub fn generate(user_id: UserId, session: Uuid) -> Self {
        Self { user_id, session, secret: rand::random() }
    }

    /// Reads what a client sent.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 32 + SECRET_BYTES] = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (user, rest) = bytes.split_first_chunk::<16>()?;
        let (session, secret) = rest.split_first_chunk::<16>()?;
        let user_id = UserId::from_uuid(Uuid::from_bytes(*user));
        Some(Self { user_id, session: Uuid::from_bytes(*session), secret: secret.try_into().ok()? })
    }

    /// The text that the client keeps.
    #[must_use]
    pub fn text(&self) -> SecretString {
        let user = self.user_id.as_uuid();
        let bytes = [user.as_bytes().as_slice(), self.session.as_bytes(), &self.secret].concat();
        BASE64_URL_SAFE_NO_PAD.encode(bytes).into()
    }

    fn hash(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(self.text().expose_secret()))
    }
}

/// A session: one sign-in on one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its id, `sid` in access tokens.
    pub id: Uuid,
    /// The hash of the refresh token that counts.
    current: String,
    /// The hash of the one before, and when it was used first.
    previous: Option<(String, DateTime<Utc>)>,
    /// The hashes of those that were used before that, the oldest first.
    #[serde(default)]
    used: VecDeque<String>,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
}

/// What comes of using a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// It was the one that counts, or its answer was lost a moment ago: the new one counts now.
    Rotated,
    /// It was used before: somebody else has it, and the session must end.
    Reused,
    /// It never was one of this session.
    Unknown,
}

impl Session {
    /// A new one, with its first refresh token.
    #[must_use]
    pub fn begin(user_id: UserId, now: DateTime<Utc>) -> (Self, RefreshToken) {
        let id = contracts::EventId::generate(now).as_uuid();
        let token = RefreshToken::generate(user_id, id);
        (
            Self { id, current: token.hash(), previous: None, used: VecDeque::new(), expires_at: now + SESSION_LIFE },
            token,
        )
    }

    /// Uses a refresh token up; `next` counts from now on, unless it was reused.
    pub fn refresh(&mut self, used: &RefreshToken, next: &RefreshToken, now: DateTime<Utc>) -> Refreshed {
        let used = used.hash();
        if used == self.current {
            self.remember_previous();
            self.previous = Some((used, now));
        } else {
            match &self.previous {
                Some((hash, at)) if *hash == used && now - *at <= REFRESH_GRACE => {
                    // Its successor was lost on the way; whoever comes with it later did not lose it.
                    let lost = std::mem::take(&mut self.current);
                    self.remember(lost);
                }
                Some((hash, _)) if *hash == used => return Refreshed::Reused,
                _ if self.used.contains(&used) => return Refreshed::Reused,
                _ => return Refreshed::Unknown,
            }
        }
        self.current = next.hash();
        self.expires_at = now + SESSION_LIFE;
        Refreshed::Rotated
    }

    fn remember_previous(&mut self) {
        if let Some((hash, _)) = self.previous.take() {
            self.remember(hash);
        }
    }

    fn remember(&mut self, hash: String) {
        if self.used.len() >= REMEMBERED {
            self.used.pop_front();
        }
        self.used.push_back(hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap()
    }

    fn begin() -> (Session, RefreshToken, RefreshToken) {
        let user = UserId::generate(at(0));
        let (session, token) = Session::begin(user, at(0));
        let next = RefreshToken::generate(user, session.id);
        (session, token, next)
    }

    #[test]
    fn a_token_survives_its_text_and_nothing_else_is_one() {
        let (_, token, _) = begin();
        let text = token.text();
        let back = RefreshToken::parse(text.expose_secret()).unwrap();
        assert_eq!((back.user_id, back.session, back.secret), (token.user_id, token.session, token.secret));
        for other in ["", "x", &text.expose_secret()[1..], "a.b.c"] {
            assert!(RefreshToken::parse(other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_token_is_used_once() {
        let (mut session, first, second) = begin();
        assert_eq!(session.refresh(&first, &second, at(100)), Refreshed::Rotated);
        let third = RefreshToken::generate(first.user_id, session.id);
        assert_eq!(session.refresh(&first, &third, at(111)), Refreshed::Reused);
        assert_eq!(session.refresh(&second, &third, at(111)), Refreshed::Rotated);
    }

    #[test]
    fn a_lost_answer_is_given_again_while_its_successor_is_unused() {
        let (mut session, first, lost) = begin();
        let (again, more) =
            (RefreshToken::generate(first.user_id, session.id), RefreshToken::generate(first.user_id, session.id));
        assert_eq!(session.refresh(&first, &lost, at(100)), Refreshed::Rotated);
        assert_eq!(session.refresh(&first, &again, at(110)), Refreshed::Rotated);
        assert_eq!(session.refresh(&again, &more, at(111)), Refreshed::Rotated);
        assert_eq!(session.refresh(&lost, &first, at(111)), Refreshed::Reused, "the lost one was not lost");
        assert_eq!(session.refresh(&first, &again, at(111)), Refreshed::Reused, "its successor was used");
    }

    #[test]
    fn a_token_that_never_was_one_ends_nothing() {
        let (mut session, first, next) = begin();
        let invented = RefreshToken::generate(first.user_id, session.id);
        assert_eq!(session.refresh(&invented, &next, at(1)), Refreshed::Unknown);
        assert_eq!(session.refresh(&first, &next, at(1)), Refreshed::Rotated);
    }
}
