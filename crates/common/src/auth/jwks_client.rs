//! Client for the keys that the user service publishes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::keys::{ALGORITHM, Jwk, Jwks};
use crate::client::discovery::Discovery;
use crate::client::{CallError, ServiceClient};
use crate::config::ServiceName;
use crate::task::detached::SingleFlight;
use crate::telemetry::clock::SharedClock;

/// Path of the published keys.
const PATH: &str = "/.well-known/jwks.json";
/// Minimum time between two fetches that unknown keys cause.
const REFETCH_INTERVAL: TimeDelta = TimeDelta::seconds(10);
/// Age at which keys are fetched again. With the worker's interval and the time of a fetch, a withdrawn key is accepted
/// for less than a minute.
const REFRESH_AFTER: TimeDelta = TimeDelta::seconds(45);
/// Minimum time between a failed fetch and the next one.
const RETRY_INTERVAL: TimeDelta = TimeDelta::milliseconds(250);
/// Maximum time of a fetch.
const FETCH_TIMEOUT: Duration = Duration::from_secs(3);

/// Source of the keys.
#[derive(Clone)]
pub enum JwksSource {
    /// Source of keys: URL of `JWKS_URL`.
    Url(Url),
    /// Source of keys: service discovery of the user service.
    Discovery(Discovery),
}

impl From<Url> for JwksSource {
    fn from(url: Url) -> Self {
        Self::Url(url)
    }
}

impl From<Discovery> for JwksSource {
    fn from(discovery: Discovery) -> Self {
        Self::Discovery(discovery)
    }
}

/// Set of keys by id, with a generation that changes with the set.
pub(super) struct KeySet {
    keys: HashMap<String, DecodingKey>,
    published: Jwks,
    generation: u64,
}

impl KeySet {
    /// Creates a set of the usable keys; other key types are ignored.
    pub(super) fn from_jwks(jwks: &Jwks, generation: u64) -> Self {
        let keys = jwks.keys.iter().filter(|jwk| usable(jwk));
        let keys =
            keys.filter_map(|jwk| Some((jwk.kid.clone(), DecodingKey::from_ec_components(&jwk.x, &jwk.y).ok()?)));
        Self { keys: keys.collect(), published: jwks.clone(), generation }
    }

    pub(super) fn get(&self, kid: &str) -> Option<&DecodingKey> {
        self.keys.get(kid)
    }

    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }
}

fn usable(jwk: &Jwk) -> bool {
    jwk.kty == "EC" && jwk.crv == "P-256" && jwk.alg == ALGORITHM && jwk.usage == "sig"
}

/// Outcome of finding the signing key that a token names.
pub(super) enum KeyLookup {
    /// Key set that contains the key.
    Found(Arc<KeySet>),
    /// Current key set without such a key.
    NoSuchKey,
    /// Keys that were never fetched and cannot be fetched now.
    Unavailable(Arc<CallError>),
}

/// Client that caches the published keys. Clones share them.
///
/// A fetch runs as its own task with its own time limit, so the deadline or end of a waiting request does not affect
/// other requests.
#[derive(Clone)]
pub(super) struct JwksClient(Arc<Inner>);

struct Inner {
    source: JwksSource,
    client: ServiceClient,
    clock: SharedClock,
    current: RwLock<Option<Arc<KeySet>>>,
    /// Time of the last fetch.
    fetched_at: RwLock<Option<DateTime<Utc>>>,
    attempts: Mutex<Attempts>,
    fetching: SingleFlight<Fetched>,
}

/// Outcome of a fetch, shared by all who waited for it.
type Fetched = Result<(), Arc<CallError>>;

#[derive(Default)]
struct Attempts {
    /// Time and error of the last fetch, if it failed.
    failed: Option<(DateTime<Utc>, Arc<CallError>)>,
    /// Time at which existing keys were last replaced.
    refetched_at: Option<DateTime<Utc>>,
}

/// Published document; unreadable keys are ignored.
#[derive(Deserialize)]
struct JwksDocument {
    keys: Vec<Value>,
}

impl JwksClient {
    pub(super) fn new(source: JwksSource, client: ServiceClient, clock: SharedClock) -> Self {
        Self(Arc::new(Inner {
            source,
            client,
            clock,
            current: RwLock::default(),
            fetched_at: RwLock::default(),
            attempts: Mutex::default(),
            fetching: SingleFlight::default(),
        }))
    }

    /// Returns the age of the keys; `None` before the first fetch.
    pub(super) fn age(&self) -> Option<TimeDelta> {
        let fetched_at = *self.0.fetched_at.read().unwrap_or_else(PoisonError::into_inner);
        fetched_at.map(|at| self.0.clock.now() - at)
    }

    pub(super) fn generation(&self) -> u64 {
        self.0.held().map_or(0, |set| set.generation())
    }

    pub(super) async fn find(&self, kid: &str) -> KeyLookup {
        if let Some(found) = self.0.find_held(kid) {
            return found;
        }
        let fetched = self.fetch().await;
        match (self.0.find_held(kid), self.0.held(), fetched) {
            (Some(found), ..) => found,
            (None, None, Err(error)) => KeyLookup::Unavailable(error),
            (None, ..) => KeyLookup::NoSuchKey,
        }
    }

    /// Fetches the keys again if they are old. The current ones are used while the user service is unavailable.
    pub(super) async fn refresh(&self) {
        if self.age().is_some_and(|age| age >= REFRESH_AFTER) {
            // Failures are logged where they happen, and the next step repeats the fetch.
            let _ = self.fetch().await;
        }
    }

    /// Fetches the keys, together with all concurrent callers, unless they were fetched recently.
    async fn fetch(&self) -> Fetched {
        let inner = self.0.clone();
        self.0.fetching.join(|| self.0.recent(), || async move { inner.replace().await }).await
    }
}

impl Inner {
    /// Returns the outcome of the last fetch if the next one is not due yet. A failed fetch does not count against the
    /// one that unknown keys may cause every ten seconds.
    fn recent(&self) -> Option<Fetched> {
        let (now, attempts) = (self.clock.now(), self.attempts.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some((at, error)) = &attempts.failed {
            return (now < *at + RETRY_INTERVAL).then(|| Err(error.clone()));
        }
        attempts.refetched_at.is_some_and(|at| now < at + REFETCH_INTERVAL).then_some(Ok(()))
    }

    async fn replace(&self) -> Fetched {
        let first = self.held().is_none();
        let fetched = self.fetch().await.map_err(Arc::new);
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        match fetched {
            Ok(jwks) => {
                self.hold(&jwks);
                attempts.failed = None;
                if !first {
                    attempts.refetched_at = Some(self.clock.now());
                }
                Ok(())
            }
            Err(error) => {
                attempts.failed = Some((self.clock.now(), error.clone()));
                if !first {
                    let error = crate::error_chain(&error);
                    tracing::warn!(error, "JWKS refresh failed; using the cached keys");
                }
                Err(error)
            }
        }
    }

    async fn fetch(&self) -> Result<Jwks, CallError> {
        let call = match &self.source {
            JwksSource::Url(url) => self.client.get_at(ServiceName::User, url.clone()),
            JwksSource::Discovery(discovery) => self.client.get_by(discovery.clone(), ServiceName::User, PATH),
        };
        let response = call.timeout(FETCH_TIMEOUT).send().await?;
        if !response.is_success() {
            return Err(response.unexpected());
        }
        let published: JwksDocument = response.json()?;
        let keys: Vec<_> = published.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect();
        if keys.is_empty() {
            let source = "the document has no ES256 key".into();
            return Err(CallError::InvalidResponse { to: ServiceName::User, source });
        }
        Ok(Jwks { keys })
    }

    fn hold(&self, jwks: &Jwks) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        // An equal set keeps its generation and the tokens verified by it.
        if current.as_ref().is_none_or(|set| set.published != *jwks) {
            let generation = current.as_ref().map_or(0, |set| set.generation()) + 1;
            *current = Some(Arc::new(KeySet::from_jwks(jwks, generation)));
        }
        *self.fetched_at.write().unwrap_or_else(PoisonError::into_inner) = Some(self.clock.now());
    }

    fn held(&self) -> Option<Arc<KeySet>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn find_held(&self, kid: &str) -> Option<KeyLookup> {
        self.held().filter(|set| set.get(kid).is_some()).map(KeyLookup::Found)
    }
}
