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
use super::jwks_client::{JwksSource, KeySet, Lookup, RemoteKeys};
use super::keys::Jwks;
use super::revocations::Revocations;
use crate::BoxError;
use crate::client::ServiceClient;
use crate::task::worker::{Next, Worker, WorkerError};
use crate::telemetry::clock::SharedClock;
use crate::telemetry::metrics::Metrics;

/// How far the clocks of two machines may be apart, in seconds.
const LEEWAY_SECONDS: i64 = 3;
/// Tokens that are remembered as verified, since a check of a signature takes a while.
const REMEMBERED: u64 = 4096;
/// How long they are remembered at most; a token that runs out before that is refused all the same.
const REMEMBER_FOR: Duration = Duration::from_secs(15 * 60);

/// Tells whether a session still stands. The user service asks its store; nobody else can.
#[async_trait]
pub trait SessionCheck: Send + Sync + 'static {
    /// Whether what `claims` stands on (session, account, role) still holds.
    ///
    /// # Errors
    /// If that cannot be told now.
    async fn is_active(&self, claims: &Claims) -> Result<bool, BoxError>;
}

/// Verifies access tokens. Clones share the keys.
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
    Remote(RemoteKeys),
}

/// A token whose signature was found good, by a key of the set of this number.
#[derive(Clone)]
struct Verified {
    claims: Arc<Claims>,
    user_id: Option<UserId>,
    set: u64,
}

/// Error of the verification of a token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The token is not valid.
    #[error("the token is not valid")]
    Invalid,
    /// The token cannot be verified now.
    #[error("{detail}")]
    Unavailable {
        /// Message for the client.
        detail: &'static str,
        /// Cause.
        #[source]
        source: BoxError,
    },
}

impl TokenVerifier {
    /// Verifies with the keys that the user service publishes: fetched when first needed, fetched again when a token
    /// names an unknown one and by [`Self::refresher`], and kept while the user service is away.
    #[must_use]
    pub fn remote(
        source: impl Into<JwksSource>,
        issuer: impl AsRef<str>,
        clock: SharedClock,
        client: ServiceClient,
    ) -> Self {
        let keys = RemoteKeys::new(source.into(), client, clock.clone());
        Self::new(Keys::Remote(keys), issuer.as_ref(), clock)
    }

    /// Verifies with these keys: in the user service itself, and in tests.
    #[must_use]
    pub fn local(jwks: &Jwks, issuer: impl AsRef<str>, clock: SharedClock) -> Self {
        Self::new(Keys::Local(Arc::new(KeySet::of(jwks, 0))), issuer.as_ref(), clock)
    }

    /// Asks `sessions` too, at each request.
    #[must_use]
    pub fn with_session_check(mut self, sessions: Arc<dyn SessionCheck>) -> Self {
        self.sessions = Some(sessions);
        self
    }

    /// Refuses tokens whose right was withdrawn: in the services that do not ask the store of sessions.
    #[must_use]
    pub fn with_revocations(mut self, revocations: Revocations) -> Self {
        self.revocations = Some(revocations);
        self
    }

    /// Shows in `metrics` how old the keys are that were fetched.
    pub fn observe(&self, metrics: &Metrics) {
        let help = "Time since the keys that tokens are signed with were fetched; 0 before the first time.";
        let age = metrics.float_gauge_vec("jwks_age_seconds", help, &[]).with_label_values::<&str>(&[]);
        let keys = self.keys.clone();
        metrics.before_render(move || {
            if let Keys::Remote(keys) = &*keys {
                age.set(keys.age().and_then(|age| age.to_std().ok()).unwrap_or_default().as_secs_f64());
            }
        });
    }

    /// The worker that fetches the keys anew each minute once there are any, so that one that was withdrawn stops counting.
    #[must_use]
    pub fn refresher(&self) -> Arc<dyn Worker> {
        Arc::new(Refresher(self.keys.clone()))
    }

    fn new(keys: Keys, issuer: &str, clock: SharedClock) -> Self {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Against our own clock, below.
        validation.validate_exp = false;
        let verified = Cache::builder().max_capacity(REMEMBERED).time_to_live(REMEMBER_FOR).build();
        Self {
            keys: Arc::new(keys),
            validation: Arc::new(validation),
            clock,
            verified,
            sessions: None,
            revocations: None,
        }
    }

    /// Who sends this token.
    pub async fn verify(&self, token: &str) -> Result<Caller, TokenError> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        let known = self.verified.get(&digest).filter(|known| known.set == self.keys.set_number());
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
        // After the look-up: what is remembered as verified does not outlive its revocation.
        if self.revocations.as_ref().is_some_and(|known| known.is_revoked(&found.claims, found.user_id)) {
            return Err(TokenError::Invalid);
        }
        if let Some(sessions) = &self.sessions {
            let active = sessions.is_active(&found.claims).await;
            let active = active
                .map_err(|source| TokenError::Unavailable { detail: "The session cannot be checked now", source })?;
            if !active {
                return Err(TokenError::Invalid);
            }
        }
        Ok(Caller::new(&found.claims, found.user_id, SecretString::from(token)))
    }

    async fn check(&self, token: &str) -> Result<Verified, TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
        // A key signs with one algorithm; what the token itself claims never picks another.
        if header.alg != Algorithm::ES256 || header.crit.is_some() {
            return Err(TokenError::Invalid);
        }
        let kid = header.kid.ok_or(TokenError::Invalid)?;
        let set = match self.keys.find(&kid).await {
            Lookup::Found(set) => set,
            Lookup::NoSuchKey => return Err(TokenError::Invalid),
            Lookup::Unavailable(error) => {
                let detail = "Tokens cannot be verified now, the keys cannot be had";
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
        Ok(Verified { claims: Arc::new(claims), user_id, set: set.number() })
    }
}

impl Keys {
    async fn find(&self, kid: &str) -> Lookup {
        match self {
            Self::Local(set) if set.get(kid).is_some() => Lookup::Found(set.clone()),
            Self::Local(_) => Lookup::NoSuchKey,
            Self::Remote(keys) => keys.find(kid).await,
        }
    }

    fn set_number(&self) -> u64 {
        match self {
            Self::Local(set) => set.number(),
            Self::Remote(keys) => keys.set_number(),
        }
    }
}

struct Refresher(Arc<Keys>);

#[async_trait]
impl Worker for Refresher {
    fn name(&self) -> &'static str {
        "key-refresher"
    }

    async fn step(&self) -> Result<Next, WorkerError> {
        if let Keys::Remote(keys) = &*self.0 {
            keys.refresh().await;
        }
        Ok(Next::Idle)
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(5)
    }
}
