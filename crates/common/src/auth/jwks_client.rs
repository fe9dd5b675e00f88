//! The keys that the user service publishes, as another service holds them.

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

/// Where the user service publishes its keys.
const PATH: &str = "/.well-known/jwks.json";
/// How often a token that names an unknown key makes us ask again, at the most.
const REFETCH_EVERY: TimeDelta = TimeDelta::seconds(10);
/// Age at which keys are fetched anew. With the refresher's interval and the time of a fetch, a withdrawn key is accepted
/// for less than a minute.
const REFRESH_AFTER: TimeDelta = TimeDelta::seconds(45);
/// Least time between a failed fetch and the next one.
const RETRY_EVERY: TimeDelta = TimeDelta::milliseconds(250);
/// How long the user service may take to answer.
const FETCH_TIMEOUT: Duration = Duration::from_secs(3);

/// Where the keys are fetched from.
#[derive(Clone)]
pub enum JwksSource {
    /// `JWKS_URL`.
    Url(Url),
    /// The user service, wherever it is found.
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

/// Keys by their ids; the number tells one set from the one before.
pub(super) struct KeySet {
    keys: HashMap<String, DecodingKey>,
    published: Jwks,
    number: u64,
}

impl KeySet {
    /// The keys that can be used; others, of families that we do not take, are left out.
    pub(super) fn of(jwks: &Jwks, number: u64) -> Self {
        let keys = jwks.keys.iter().filter(|jwk| usable(jwk));
        let keys =
            keys.filter_map(|jwk| Some((jwk.kid.clone(), DecodingKey::from_ec_components(&jwk.x, &jwk.y).ok()?)));
        Self { keys: keys.collect(), published: jwks.clone(), number }
    }

    pub(super) fn get(&self, kid: &str) -> Option<&DecodingKey> {
        self.keys.get(kid)
    }

    pub(super) const fn number(&self) -> u64 {
        self.number
    }
}

fn usable(jwk: &Jwk) -> bool {
    jwk.kty == "EC" && jwk.crv == "P-256" && jwk.alg == ALGORITHM && jwk.usage == "sig"
}

/// What came of looking for a key.
pub(super) enum Lookup {
    /// It is in this set.
    Found(Arc<KeySet>),
    /// There is none of this id.
    NoSuchKey,
    /// We never had any keys, and cannot get them.
    Unavailable(Arc<CallError>),
}

/// The published keys, fetched when first needed. Clones share them.
///
/// A fetch is a task of its own with a time limit of its own: the deadline or the end of a request that waits for it
/// changes nothing for the others.
#[derive(Clone)]
pub(super) struct RemoteKeys(Arc<Inner>);

struct Inner {
    source: JwksSource,
    client: ServiceClient,
    clock: SharedClock,
    current: RwLock<Option<Arc<KeySet>>>,
    /// When they were fetched last.
    fetched_at: RwLock<Option<DateTime<Utc>>>,
    attempts: Mutex<Attempts>,
    fetching: SingleFlight<Fetched>,
}

/// Outcome of a fetch, shared by all who waited for it.
type Fetched = Result<(), Arc<CallError>>;

#[derive(Default)]
struct Attempts {
    /// The last fetch, if it failed.
    failed: Option<(DateTime<Utc>, Arc<CallError>)>,
    /// When keys that were at hand were last replaced by a fetch that succeeded.
    refetched_at: Option<DateTime<Utc>>,
}

/// The published form; a key that we cannot read does not spoil the others.
#[derive(Deserialize)]
struct Published {
    keys: Vec<Value>,
}

impl RemoteKeys {
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

    /// How long ago the keys were fetched; nothing before the first time.
    pub(super) fn age(&self) -> Option<TimeDelta> {
        let fetched_at = *self.0.fetched_at.read().unwrap_or_else(PoisonError::into_inner);
        fetched_at.map(|at| self.0.clock.now() - at)
    }

    pub(super) fn set_number(&self) -> u64 {
        self.0.held().map_or(0, |set| set.number())
    }

    pub(super) async fn find(&self, kid: &str) -> Lookup {
        if let Some(found) = self.0.find_held(kid) {
            return found;
        }
        let fetched = self.fetch().await;
        match (self.0.find_held(kid), self.0.held(), fetched) {
            (Some(found), ..) => found,
            (None, None, Err(error)) => Lookup::Unavailable(error),
            (None, ..) => Lookup::NoSuchKey,
        }
    }

    /// Fetches the keys anew if they have grown old; those at hand are kept while the user service is away.
    pub(super) async fn refresh(&self) {
        if self.age().is_some_and(|age| age >= REFRESH_AFTER) {
            // A failure is logged where it happens, and the next step tries again.
            let _ = self.fetch().await;
        }
    }

    /// Fetches the keys, together with everybody who needs them now, unless that was done a moment ago.
    async fn fetch(&self) -> Fetched {
        let inner = self.0.clone();
        self.0.fetching.join(|| self.0.recent(), || async move { inner.replace().await }).await
    }
}

impl Inner {
    /// Returns the outcome of the last fetch where the next one is not due yet. A failed fetch never stands for the one that
    /// an unknown key may cause in ten seconds.
    fn recent(&self) -> Option<Fetched> {
        let (now, attempts) = (self.clock.now(), self.attempts.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some((at, error)) = &attempts.failed {
            return (now < *at + RETRY_EVERY).then(|| Err(error.clone()));
        }
        attempts.refetched_at.is_some_and(|at| now < at + REFETCH_EVERY).then_some(Ok(()))
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
                    tracing::warn!(error, "keys cannot be fetched again, the ones at hand are kept");
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
        let answer = call.timeout(FETCH_TIMEOUT).send().await?;
        if !answer.is_success() {
            return Err(answer.unexpected());
        }
        let published: Published = answer.json()?;
        let keys: Vec<_> = published.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect();
        if keys.is_empty() {
            let source = "it publishes no key of the form that tokens are signed with".into();
            return Err(CallError::BadAnswer { to: ServiceName::User, source });
        }
        Ok(Jwks { keys })
    }

    fn hold(&self, jwks: &Jwks) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        // A set that says the same keeps its number, and what was verified by it.
        if current.as_ref().is_none_or(|set| set.published != *jwks) {
            let number = current.as_ref().map_or(0, |set| set.number()) + 1;
            *current = Some(Arc::new(KeySet::of(jwks, number)));
        }
        *self.fetched_at.write().unwrap_or_else(PoisonError::into_inner) = Some(self.clock.now());
    }

    fn held(&self) -> Option<Arc<KeySet>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn find_held(&self, kid: &str) -> Option<Lookup> {
        self.held().filter(|set| set.get(kid).is_some()).map(Lookup::Found)
    }
}
