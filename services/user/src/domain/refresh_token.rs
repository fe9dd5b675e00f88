//! Refresh tokens, and the sealed successors of used ones.

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

/// Time after the first use of a refresh token in which every further use returns the same successor.
pub const REFRESH_GRACE_PERIOD: TimeDelta = TimeDelta::seconds(10);
/// Number of random bytes that all refresh tokens of a session share.
const LINEAGE_BYTES: usize = 16;
/// Number of random bytes of one refresh token.
const SECRET_BYTES: usize = 16;
/// Purpose of the key that seals a successor (HKDF's `info`).
const SEAL_INFO: &[u8] = b"shopfleet refresh token successor";

/// Opaque refresh token, stored only as hashes.
///
/// All tokens of a session share their lineage. A used token is therefore recognised however often the session was
/// refreshed since.
pub struct RefreshToken {
    /// Account of the session.
    pub user_id: UserId,
    /// Id of the session.
    pub session: Uuid,
    lineage: [u8; LINEAGE_BYTES],
    secret: [u8; SECRET_BYTES],
}

impl RefreshToken {
    /// Creates a token of a new lineage.
    #[must_use]
    pub fn generate(user_id: UserId, session: Uuid) -> Self {
        Self { user_id, session, lineage: rand::random(), secret: rand::random() }
    }

    /// Parses the text that a client presents.
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

    /// Returns the refresh token as the client receives it.
    #[must_use]
    pub fn text(&self) -> SecretString {
        BASE64_URL_SAFE_NO_PAD.encode(self.bytes()).into()
    }

    /// Returns the hash under which the token is stored.
    pub(super) fn hash(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(self.text().expose_secret()))
    }

    /// Returns the hash of the part that all tokens of the session share.
    pub(super) fn lineage_hash(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(self.lineage))
    }

    /// Creates the next token of the lineage.
    pub(super) fn successor(&self) -> Self {
        self.with_secret(rand::random())
    }

    fn bytes(&self) -> Vec<u8> {
        [self.user_id.as_uuid().as_bytes().as_slice(), self.session.as_bytes(), &self.lineage, &self.secret].concat()
    }

    const fn with_secret(&self, secret: [u8; SECRET_BYTES]) -> Self {
        Self { user_id: self.user_id, session: self.session, lineage: self.lineage, secret }
    }

    /// Returns the cipher whose key derives from this token (RFC 5869). The cipher seals one message only, so the nonce
    /// is constant.
    fn cipher(&self) -> Option<ChaCha20Poly1305> {
        let mut key = [0; 32];
        Hkdf::<Sha256>::new(None, &self.bytes()).expand(SEAL_INFO, &mut key).ok()?;
        Some(ChaCha20Poly1305::new(&key.into()))
    }
}

/// Successor of a used token, readable only by the holder of the used token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SealedSuccessor {
    /// Hash of the used token.
    used: String,
    /// Time of the first use.
    at: DateTime<Utc>,
    /// Secret of the successor, sealed by a key that derives from the used token.
    sealed: String,
}

impl SealedSuccessor {
    pub(super) fn seal(used: &RefreshToken, next: &RefreshToken, at: DateTime<Utc>) -> Option<Self> {
        let sealed = used.cipher()?.encrypt(&Nonce::default(), next.secret.as_slice()).ok()?;
        Some(Self { used: used.hash(), at, sealed: BASE64_URL_SAFE_NO_PAD.encode(sealed) })
    }

    pub(super) fn open(&self, used: &RefreshToken) -> Option<RefreshToken> {
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(&self.sealed).ok()?;
        let secret = used.cipher()?.decrypt(&Nonce::default(), sealed.as_slice()).ok()?;
        Some(used.with_secret(secret.try_into().ok()?))
    }

    pub(super) fn replaces(&self, used_hash: &str) -> bool {
        self.used == used_hash
    }

    pub(super) fn is_in_grace_period(&self, now: DateTime<Utc>) -> bool {
        now - self.at <= REFRESH_GRACE_PERIOD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> RefreshToken {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        RefreshToken::generate(UserId::generate(now), contracts::ids::uuid_v7(now))
    }

    #[test]
    fn refresh_token_round_trips_through_text_and_rejects_other_text() {
        let token = token();
        let text = token.text();
        let parsed = RefreshToken::parse(text.expose_secret()).unwrap();
        assert_eq!((parsed.user_id, parsed.session), (token.user_id, token.session));
        assert_eq!((parsed.lineage, parsed.secret), (token.lineage, token.secret));
        for other in ["", "x", &text.expose_secret()[1..], "a.b.c"] {
            assert!(RefreshToken::parse(other).is_none(), "{other}");
        }
    }

    #[test]
    fn sealed_successor_is_opened_by_the_used_token_only() {
        let used = token();
        let next = used.successor();
        let sealed = SealedSuccessor::seal(&used, &next, DateTime::UNIX_EPOCH).unwrap();
        assert!(!sealed.sealed.contains(&BASE64_URL_SAFE_NO_PAD.encode(next.secret)));
        assert!(sealed.open(&next).is_none());
        assert_eq!(sealed.open(&used).unwrap().secret, next.secret);
    }
}
