//! Verification of access tokens.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use contracts::UserId;
use jsonwebtoken::{Algorithm, Validation};
use moka::sync::Cache;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

use super::caller::Caller;
use super::claims::{AUDIENCE, Claims, Role};
use super::jwks_client::{JwksClient, JwksSource, KeyLookup, KeySet};
use super::keys::Jwks;
use super::revocations::Revocations;
use crate::BoxError;
use crate::client::ServiceClient;
use crate::task::worker::{NextRun, Worker, WorkerError};
use crate::telemetry::clock::SharedClock;
use crate::telemetry::metrics::Metrics;

/// Maximum clock difference of two machines in seconds.
const LEEWAY_SECONDS: i64 = 3;
/// Maximum number of cached tokens; verifying a signature is expensive.
const CACHED_TOKENS: u64 = 4096;
/// Maximum time that a verified token is cached; an expired token is rejected in any case.
const CACHED_TOKEN_TTL: Duration = Duration::from_secs(15 * 60);

/// Check of sessions. Only the user service, which stores sessions, implements it.
#[async_trait]
pub trait SessionCheck: Send + Sync + 'static {
    /// Returns whether the session, account and role of `claims` are still valid.
    ///
    /// # Errors
    /// The check cannot be made now.
    async fn is_active(&self, claims: &Claims) -> Result<bool, BoxError>;
}

/// Verifier of access tokens. Clones share the keys.
#[derive(Clone)]
pub struct TokenVerifier {
    keys: Arc<Keys>,
    validation: Arc<Validation>,
    clock: SharedClock,
    verified: Cache<[u8; 32], Verified>,
    sessions: Option<Arc<dyn SessionCheck>>,
    revocations: Option<Revocations>,
}

enum Keys {
    Local(Arc<KeySet>),
    Remote(JwksClient),
}

/// Token with a valid signature by a key of this generation.
#[derive(Clone)]
struct Verified {
    claims: Arc<Claims>,
    user_id: Option<UserId>,
    generation: u64,
}

/// Errors of the verification of a token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Token error: invalid token.
    #[error("the token is not valid")]
    Invalid,
    /// Token error: verification that is not possible now.
    #[error("{detail}")]
    Unavailable {
        /// Message for the client that explains the rejection of its token.
        detail: &'static str,
        /// Source error.
        #[source]
        source: BoxError,
    },
}

impl TokenVerifier {
    /// Creates a verifier with the keys that the user service publishes. They are fetched on first use, for unknown
    /// keys and by [`Self::refresh_worker`], and used while the user service is unavailable.
    #[must_use]
    pub fn remote(
        source: impl Into<JwksSource>,
        issuer: impl AsRef<str>,
        clock: SharedClock,
        client: ServiceClient,
    ) -> Self {
        let keys = JwksClient::new(source.into(), client, clock.clone());
        Self::new(Keys::Remote(keys), issuer.as_ref(), clock)
    }

    /// Creates a verifier with fixed keys, for the user service itself and for tests.
    #[must_use]
    pub fn local(jwks: &Jwks, issuer: impl AsRef<str>, clock: SharedClock) -> Self {
        Self::new(Keys::Local(Arc::new(KeySet::from_jwks(jwks, 0))), issuer.as_ref(), clock)
    }

    /// Adds a check of the session to each request.
    #[must_use]
    pub fn with_session_check(mut self, sessions: Arc<dyn SessionCheck>) -> Self {
        self.sessions = Some(sessions);
        self
    }

    /// Rejects revoked tokens, in services that do not check sessions.
    #[must_use]
    pub fn with_revocations(mut self, revocations: Revocations) -> Self {
        self.revocations = Some(revocations);
        self
    }

    /// Registers a metric with the age of the keys.
    pub fn observe(&self, metrics: &Metrics) {
        let help = "Age of the cached JWKS; 0 before the first fetch.";
        let age = metrics.float_gauge_vec("jwks_age_seconds", help, &[]).with_label_values::<&str>(&[]);
        let keys = self.keys.clone();
        metrics.before_render(move || {
            if let Keys::Remote(keys) = &*keys {
                age.set(keys.age().and_then(|age| age.to_std().ok()).unwrap_or_default().as_secs_f64());
            }
        });
    }

    /// Returns the worker that fetches the keys every minute after the first use, so withdrawn keys expire.
    #[must_use]
    pub fn refresh_worker(&self) -> Arc<dyn Worker> {
        Arc::new(KeyRefresher(self.keys.clone()))
    }

    fn new(keys: Keys, issuer: &str, clock: SharedClock) -> Self {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Checked below against our own clock.
        validation.validate_exp = false;
        let verified = Cache::builder().max_capacity(CACHED_TOKENS).time_to_live(CACHED_TOKEN_TTL).build();
        Self {
            keys: Arc::new(keys),
            validation: Arc::new(validation),
            clock,
            verified,
            sessions: None,
            revocations: None,
        }
    }

    /// Verifies a token and returns its caller.
    ///
    /// # Errors
    /// The token is invalid or cannot be verified now.
    pub async fn verify(&self, token: &str) -> Result<Caller, TokenError> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        let known = self.verified.get(&digest).filter(|known| known.generation == self.keys.generation());
        let found = match known {
            Some(known) => known,
            None => {
                let found = self.check(token).await?;
                self.verified.insert(digest, found.clone());
                found
            }
        };
        if found.claims.exp.saturating_add(LEEWAY_SECONDS) <= self.clock.now().timestamp() {
            return Err(TokenError::Invalid);
        }
        // Checked after the cache, so a cached token does not outlive its revocation.
        if self.revocations.as_ref().is_some_and(|known| known.is_revoked(&found.claims, found.user_id)) {
            return Err(TokenError::Invalid);
        }
        if let Some(sessions) = &self.sessions {
            let active = sessions.is_active(&found.claims).await;
            let active = active.map_err(|source| TokenError::Unavailable {
                detail: "Session check unavailable, retry later",
                source,
            })?;
            if !active {
                return Err(TokenError::Invalid);
            }
        }
        Ok(Caller::new(&found.claims, found.user_id, SecretString::from(token)))
    }

    /// Verifies the token of a caller again, after a time in which its access may have ended.
    ///
    /// # Errors
    /// The token is no longer valid or cannot be verified now.
    pub async fn verify_again(&self, caller: &Caller) -> Result<(), TokenError> {
        self.verify(caller.token()).await.map(drop)
    }

    async fn check(&self, token: &str) -> Result<Verified, TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
        // The algorithm is fixed; the token's own claim never selects another one.
        if header.alg != Algorithm::ES256 || header.crit.is_some() {
            return Err(TokenError::Invalid);
        }
        let kid = header.kid.ok_or(TokenError::Invalid)?;
        let set = match self.keys.find(&kid).await {
            KeyLookup::Found(set) => set,
            KeyLookup::NoSuchKey => return Err(TokenError::Invalid),
            KeyLookup::Unavailable(error) => {
                let detail = "Token verification unavailable, retry later";
                return Err(TokenError::Unavailable { detail, source: error.into() });
            }
        };
        let key = set.get(&kid).ok_or(TokenError::Invalid)?;
        let claims =
            jsonwebtoken::decode::<Claims>(token, key, &self.validation).map_err(|_| TokenError::Invalid)?.claims;
        let user_id = match claims.role {
            Role::Service => None,
            Role::User | Role::Admin => Some(claims.sub.parse().map_err(|_| TokenError::Invalid)?),
        };
        Ok(Verified { claims: Arc::new(claims), user_id, generation: set.generation() })
    }
}

impl Keys {
    async fn find(&self, kid: &str) -> KeyLookup {
        match self {
            Self::Local(set) if set.get(kid).is_some() => KeyLookup::Found(set.clone()),
            Self::Local(_) => KeyLookup::NoSuchKey,
            Self::Remote(keys) => keys.find(kid).await,
        }
    }

    fn generation(&self) -> u64 {
        match self {
            Self::Local(set) => set.generation(),
            Self::Remote(keys) => keys.generation(),
        }
    }
}

struct KeyRefresher(Arc<Keys>);

#[async_trait]
impl Worker for KeyRefresher {
    fn name(&self) -> &'static str {
        "key-refresher"
    }

    async fn step(&self) -> Result<NextRun, WorkerError> {
        if let Keys::Remote(keys) = &*self.0 {
            keys.refresh().await;
        }
        Ok(NextRun::OnWake)
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(5)
    }
}
