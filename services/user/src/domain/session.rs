//! Sessions and their refresh tokens.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use chrono::{DateTime, TimeDelta, Utc};
use contracts::UserId;
use hkdf::Hkdf;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// How long a session lasts after its last refresh.
pub const SESSION_LIFE: TimeDelta = TimeDelta::days(30);
/// Time after the first use of a refresh token in which every further use gets the same successor.
pub const REFRESH_GRACE: TimeDelta = TimeDelta::seconds(10);
/// Maximum number of used tokens of a session that are stored by their hashes.
const MAX_USED: usize = 64;
/// Maximum number of successors of a session that are stored at a time.
const MAX_SUCCESSORS: usize = 64;
/// Random bytes that all refresh tokens of a session share.
const LINEAGE_BYTES: usize = 16;
/// Random bytes of one refresh token.
const SECRET_BYTES: usize = 16;
/// Purpose of the key that seals a successor (HKDF's `info`).
const SEAL_INFO: &[u8] = b"shopfleet refresh token successor";

/// An opaque refresh token, of which only hashes are stored.
///
/// All tokens of a session share their lineage, so that one is recognised as used however often the session was
/// refreshed since.
pub struct RefreshToken {
    /// The account.
    pub user_id: UserId,
    /// The session.
    pub session: Uuid,
    lineage: [u8; LINEAGE_BYTES],
    secret: [u8; SECRET_BYTES],
}

impl RefreshToken {
    /// Creates a token of a lineage of its own.
    #[must_use]
    pub fn generate(user_id: UserId, session: Uuid) -> Self {
        Self { user_id, session, lineage: rand::random(), secret: rand::random() }
    }

    /// Reads what a client sent.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (user, rest) = bytes.split_first_chunk::<16>()?;
        let (session, rest) = rest.split_first_chunk::<16>()?;
        let (lineage, secret) = rest.split_first_chunk::<LINEAGE_BYTES>()?;
        let user_id = UserId::from_uuid(Uuid::from_bytes(*user));
        let session = Uuid::from_bytes(*session);
        Some(Self { user_id, session, lineage: *lineage, secret: secret.try_into().ok()? })
    }

    /// Returns the text that the client keeps.
    #[must_use]
    pub fn text(&self) -> SecretString {
        BASE64_URL_SAFE_NO_PAD.encode(self.bytes()).into()
    }

    fn bytes(&self) -> Vec<u8> {
        [self.user_id.as_uuid().as_bytes().as_slice(), self.session.as_bytes(), &self.lineage, &self.secret].concat()
    }

    fn successor(&self) -> Self {
        self.with_secret(rand::random())
    }

    const fn with_secret(&self, secret: [u8; SECRET_BYTES]) -> Self {
        Self { user_id: self.user_id, session: self.session, lineage: self.lineage, secret }
    }

    fn hash(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(self.text().expose_secret()))
    }

    fn lineage_hash(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(self.lineage))
    }

    /// Returns the cipher whose key derives from this token (RFC 5869). It seals one message only, so the nonce is
    /// constant.
    fn cipher(&self) -> Option<ChaCha20Poly1305> {
        let mut key = [0; 32];
        Hkdf::<Sha256>::new(None, &self.bytes()).expand(SEAL_INFO, &mut key).ok()?;
        Some(ChaCha20Poly1305::new(&key.into()))
    }
}

/// The successor of a used token, which only the holder of that token can read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Successor {
    /// Hash of the used token.
    used: String,
    /// Time of its first use.
    at: DateTime<Utc>,
    /// The successor's secret, sealed by a key that derives from the used token.
    sealed: String,
}

impl Successor {
    fn seal(used: &RefreshToken, next: &RefreshToken, at: DateTime<Utc>) -> Option<Self> {
        let sealed = used.cipher()?.encrypt(&Nonce::default(), next.secret.as_slice()).ok()?;
        Some(Self { used: used.hash(), at, sealed: BASE64_URL_SAFE_NO_PAD.encode(sealed) })
    }

    fn open(&self, used: &RefreshToken) -> Option<RefreshToken> {
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(&self.sealed).ok()?;
        let secret = used.cipher()?.decrypt(&Nonce::default(), sealed.as_slice()).ok()?;
        Some(used.with_secret(secret.try_into().ok()?))
    }

    fn is_in_grace(&self, now: DateTime<Utc>) -> bool {
        now - self.at <= REFRESH_GRACE
    }
}

/// A session: one sign-in on one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its id, `sid` in access tokens.
    pub id: Uuid,
    /// The hash of the refresh token that counts.
    current: String,
    /// The hash of the one before, and when it was used first; read by instances of the version before.
    previous: Option<(String, DateTime<Utc>)>,
    /// The hashes of those that were used before that, the oldest first.
    #[serde(default)]
    used: VecDeque<String>,
    /// The hash of what all tokens of the session share; none in a session that the version before wrote last.
    #[serde(default)]
    lineage: Option<String>,
    /// Successors of the tokens that were used a moment ago.
    #[serde(default)]
    successors: Vec<Successor>,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
}

/// Outcome of using a refresh token.
pub enum Refreshed {
    /// The token is current, or was used first a moment ago: its successor, the same each time.
    Successor(RefreshToken),
    /// The token was used before: somebody else has it, and the session must end.
    Reused,
    /// The token never was one of this session.
    Unknown,
}

impl Session {
    /// A new one, with its first refresh token.
    #[must_use]
    pub fn begin(user_id: UserId, now: DateTime<Utc>) -> (Self, RefreshToken) {
        let id = contracts::EventId::generate(now).as_uuid();
        let token = RefreshToken::generate(user_id, id);
        let session = Self {
            id,
            current: token.hash(),
            previous: None,
            used: VecDeque::new(),
            lineage: Some(token.lineage_hash()),
            successors: Vec::new(),
            expires_at: now + SESSION_LIFE,
        };
        (session, token)
    }

    /// Uses a refresh token: the current one is replaced by its successor.
    pub fn refresh(&mut self, presented: &RefreshToken, now: DateTime<Utc>) -> Refreshed {
        let hash = presented.hash();
        if hash == self.current {
            return self.rotate(presented, hash, now);
        }
        let successor = self.successors.iter().find(|successor| successor.used == hash && successor.is_in_grace(now));
        if let Some(next) = successor.and_then(|successor| successor.open(presented)) {
            return Refreshed::Successor(next);
        }
        match &self.previous {
            // The version before rotated it, and stored no successor: the one whose answer was lost is replaced.
            Some((previous, at)) if *previous == hash && now - *at <= REFRESH_GRACE && self.lineage.is_none() => {
                let lost = std::mem::take(&mut self.current);
                self.remember(lost);
                self.previous = None;
                self.rotate(presented, hash, now)
            }
            Some((previous, _)) if *previous == hash => Refreshed::Reused,
            _ if self.used.contains(&hash) || self.lineage == Some(presented.lineage_hash()) => Refreshed::Reused,
            _ => Refreshed::Unknown,
        }
    }

    /// Forgets the successors whose grace period is over.
    pub(super) fn forget_successors(&mut self, now: DateTime<Utc>) {
        self.successors.retain(|successor| successor.is_in_grace(now));
    }

    fn rotate(&mut self, used: &RefreshToken, hash: String, now: DateTime<Utc>) -> Refreshed {
        let next = used.successor();
        self.forget_successors(now);
        let surplus = (self.successors.len() + 1).saturating_sub(MAX_SUCCESSORS);
        self.successors.drain(..surplus);
        self.successors.extend(Successor::seal(used, &next, now));
        if let Some((before, _)) = self.previous.replace((hash, now)) {
            self.remember(before);
        }
        self.lineage = Some(next.lineage_hash());
        self.current = next.hash();
        self.expires_at = now + SESSION_LIFE;
        Refreshed::Successor(next)
    }

    fn remember(&mut self, hash: String) {
        if self.used.len() >= MAX_USED {
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

    fn begin() -> (Session, RefreshToken) {
        Session::begin(UserId::generate(at(0)), at(0))
    }

    /// The text of the successor; the name of another outcome.
    fn refresh(session: &mut Session, token: &RefreshToken, second: i64) -> String {
        match session.refresh(token, at(second)) {
            Refreshed::Successor(next) => next.text().expose_secret().to_owned(),
            Refreshed::Reused => "reused".to_owned(),
            Refreshed::Unknown => "unknown".to_owned(),
        }
    }

    fn token(text: &str) -> RefreshToken {
        RefreshToken::parse(text).unwrap_or_else(|| panic!("no successor but `{text}`"))
    }

    #[test]
    fn a_token_survives_its_text_and_nothing_else_is_one() {
        let (_, token) = begin();
        let text = token.text();
        let back = RefreshToken::parse(text.expose_secret()).unwrap();
        assert_eq!((back.user_id, back.session), (token.user_id, token.session));
        assert_eq!((back.lineage, back.secret), (token.lineage, token.secret));
        for other in ["", "x", &text.expose_secret()[1..], "a.b.c"] {
            assert!(RefreshToken::parse(other).is_none(), "{other}");
        }
    }

    #[test]
    fn token_is_rotated_at_its_first_use_and_reuse_is_theft() {
        let (mut session, first) = begin();
        let second = refresh(&mut session, &first, 100);
        assert_eq!(refresh(&mut session, &first, 111), "reused");
        assert_ne!(refresh(&mut session, &token(&second), 111), second);
    }

    #[test]
    fn every_use_within_the_grace_period_gets_the_same_successor() {
        let (mut session, first) = begin();
        let second = refresh(&mut session, &first, 100);
        let before = session.clone();
        assert_eq!(refresh(&mut session, &first, 101), second);
        assert_eq!(session, before, "a repeated use changes nothing");
        let third = refresh(&mut session, &token(&second), 102);
        assert_eq!(refresh(&mut session, &first, 110), second, "also after the successor was used");
        assert_eq!(refresh(&mut session, &token(&second), 112), third);
        assert_eq!(refresh(&mut session, &first, 111), "reused");
        assert_eq!(refresh(&mut session, &token(&second), 113), "reused");
    }

    #[test]
    fn successor_is_stored_sealed() {
        let (mut session, first) = begin();
        let second = token(&refresh(&mut session, &first, 100));
        let [sealed] = &session.successors[..] else { panic!("{:?}", session.successors) };
        assert!(!sealed.sealed.contains(&BASE64_URL_SAFE_NO_PAD.encode(second.secret)));
        assert!(sealed.open(&second).is_none(), "another token does not open it");
        refresh(&mut session, &second, 200);
        assert_eq!(session.successors.len(), 1, "only for the grace period");
    }

    #[test]
    fn token_of_any_age_is_recognised_as_used() {
        let (mut session, first) = begin();
        let mut current = RefreshToken::parse(first.text().expose_secret()).unwrap();
        for second in 0..200 {
            current = token(&refresh(&mut session, &current, second * 60));
        }
        assert!(session.used.len() <= MAX_USED && session.successors.len() <= MAX_SUCCESSORS);
        assert_eq!(refresh(&mut session, &first, 200 * 60), "reused");
    }

    #[test]
    fn many_refreshes_at_once_store_a_bounded_number_of_successors() {
        let (mut session, mut current) = begin();
        for _ in 0..2 * MAX_SUCCESSORS {
            current = token(&refresh(&mut session, &current, 1));
        }
        assert_eq!(session.successors.len(), MAX_SUCCESSORS);
    }

    #[test]
    fn a_token_that_never_was_one_ends_nothing() {
        let (mut session, first) = begin();
        let invented = RefreshToken::generate(first.user_id, session.id);
        assert_eq!(refresh(&mut session, &invented, 1), "unknown");
        token(&refresh(&mut session, &first, 1));
    }

    /// A session as the version before stores it, which knows neither lineage nor successors.
    #[test]
    fn session_of_the_version_before_goes_on() {
        let (mut session, first) = begin();
        let lost = token(&refresh(&mut session, &first, 100));
        (session.lineage, session.successors) = (None, Vec::new());
        let again = token(&refresh(&mut session, &first, 105));
        assert_eq!(refresh(&mut session, &first, 106), again.text().expose_secret(), "the grace period begins anew");
        assert_eq!(refresh(&mut session, &lost, 106), "reused");
        token(&refresh(&mut session, &again, 120));
        assert_eq!(refresh(&mut session, &first, 131), "reused");
    }
}
