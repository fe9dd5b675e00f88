//! Single-use tokens of links in mails.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use contracts::UserId;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Lifetime of a link to reset a password.
pub const RESET_TTL: TimeDelta = TimeDelta::minutes(30);
/// Lifetime of a link to verify an e-mail address.
pub const VERIFICATION_TTL: TimeDelta = TimeDelta::days(7);
/// Number of random bytes of a token.
const SECRET_BYTES: usize = 32;

/// Token of a link, stored only as a hash.
pub struct LinkToken {
    /// Account of the link.
    pub user_id: UserId,
    secret: [u8; SECRET_BYTES],
}

impl LinkToken {
    /// Creates a token.
    #[must_use]
    pub fn generate(user_id: UserId) -> Self {
        Self { user_id, secret: rand::random() }
    }

    /// Parses the text of a link.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (user, secret) = bytes.split_first_chunk::<16>()?;
        Some(Self { user_id: UserId::from_uuid(Uuid::from_bytes(*user)), secret: secret.try_into().ok()? })
    }

    /// Returns the text of the link.
    #[must_use]
    pub fn text(&self) -> SecretString {
        BASE64_URL_SAFE_NO_PAD.encode([self.user_id.as_uuid().as_bytes().as_slice(), &self.secret].concat()).into()
    }

    fn hash(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(self.text().expose_secret()))
    }
}

/// Link as stored with its account. A later link of the same purpose replaces it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredLink {
    hash: String,
    expires_at: DateTime<Utc>,
}

impl StoredLink {
    /// Creates the link of a token.
    #[must_use]
    pub fn new(token: &LinkToken, ttl: TimeDelta, now: DateTime<Utc>) -> Self {
        Self { hash: token.hash(), expires_at: now + ttl }
    }

    /// Returns whether a presented token is the one of the link, and the link has not expired.
    #[must_use]
    pub fn matches(&self, presented: &LinkToken, now: DateTime<Utc>) -> bool {
        self.hash == presented.hash() && now < self.expires_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_accepts_its_own_token_until_it_expires() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let token = LinkToken::generate(UserId::generate(now));
        let link = StoredLink::new(&token, RESET_TTL, now);
        let parsed = LinkToken::parse(token.text().expose_secret()).unwrap();
        assert_eq!(parsed.user_id, token.user_id);
        assert!(link.matches(&parsed, now) && link.matches(&parsed, now + RESET_TTL - TimeDelta::seconds(1)));
        assert!(!link.matches(&parsed, now + RESET_TTL));
        assert!(!link.matches(&LinkToken::generate(token.user_id), now));
        assert!(!format!("{link:?}").contains(token.text().expose_secret()));
        let text = token.text();
        for other in ["", "x", &text.expose_secret()[1..], &format!("{}A", text.expose_secret()), "a.b.c"] {
            assert!(LinkToken::parse(other).is_none(), "{other}");
        }
    }
}
