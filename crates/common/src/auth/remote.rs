//! The keys that the user service publishes, as another service holds them.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use super::keys::{ALGORITHM, Jwk, Jwks};
use crate::client::{CallError, ServiceClient};
use crate::clock::SharedClock;
use crate::discovery::{Discovery, ServiceName};

/// Where the user service publishes its keys.
const PATH: &str = "/.well-known/jwks.json";
/// How often a token that names an unknown key makes us ask again, at the most.
const REFETCH_EVERY: TimeDelta = TimeDelta::seconds(10);
/// How old keys may grow before they are fetched anew: so long, one that was withdrawn still counts.
const REFRESH_AFTER: TimeDelta = TimeDelta::seconds(60);
/// How often we ask while we never had any keys.
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
    Unavailable(CallError),
}

pub(super) struct RemoteKeys {
    source: JwksSource,
    client: ServiceClient,
    clock: SharedClock,
    current: RwLock<Option<Arc<KeySet>>>,
    /// When they were fetched last.
    fetched_at: RwLock<Option<DateTime<Utc>>>,
    /// Held while the keys are fetched, so that one request does it for all.
    fetching: Mutex<Fetching>,
}

#[derive(Default)]
struct Fetching {
    /// When the last try to get the first set failed.
    failed_at: Option<DateTime<Utc>>,
    /// When we last asked again: for an unknown key, or since the keys had grown old.
    refetched_at: Option<DateTime<Utc>>,
}

/// The published form; a key that we cannot read does not spoil the others.
#[derive(Deserialize)]
struct Published {
    keys: Vec<Value>,
}

impl RemoteKeys {
    pub(super) fn new(source: JwksSource, client: ServiceClient, clock: SharedClock) -> Self {
        Self {
            source,
            client,
            clock,
            current: RwLock::default(),
            fetched_at: RwLock::default(),
            fetching: Mutex::default(),
        }
    }

    /// How long ago the keys were fetched; nothing before the first time.
    pub(super) fn age(&self) -> Option<TimeDelta> {
        let fetched_at = *self.fetched_at.read().unwrap_or_else(PoisonError::into_inner);
        fetched_at.map(|at| self.clock.now() - at)
    }

    pub(super) fn set_number(&self) -> u64 {
        self.held().map_or(0, |set| set.number())
    }

    pub(super) async fn find(&self, kid: &str) -> Lookup {
        if let Some(found) = self.find_held(kid) {
            return found;
        }
        let asked_at = self.clock.now();
        let mut fetching = self.fetching.lock().await;
        // Whoever held the lock before may have fetched it.
        if let Some(found) = self.find_held(kid) {
            return found;
        }
        match self.held() {
            Some(_) => {
                self.refetch(&mut fetching).await;
                self.find_held(kid).unwrap_or(Lookup::NoSuchKey)
            }
            None => self.fetch_first(kid, asked_at, &mut fetching).await,
        }
    }

    async fn fetch_first(&self, kid: &str, asked_at: DateTime<Utc>, fetching: &mut Fetching) -> Lookup {
        if fetching.failed_at.is_some_and(|failed| asked_at < failed + RETRY_EVERY) {
            let source = "it was asked for its keys just now".into();
            return Lookup::Unavailable(CallError::Unavailable { to: ServiceName::User, source });
        }
        match self.fetch().await {
            Ok(jwks) => {
                self.hold(&jwks);
                self.find_held(kid).unwrap_or(Lookup::NoSuchKey)
            }
            Err(error) => {
                fetching.failed_at = Some(self.clock.now());
                Lookup::Unavailable(error)
            }
        }
    }

    /// Fetches the keys anew if they have grown old; those at hand are kept while the user service is away.
    pub(super) async fn refresh(&self) {
        if self.age().is_some_and(|age| age >= REFRESH_AFTER) {
            self.refetch(&mut *self.fetching.lock().await).await;
        }
    }

    async fn refetch(&self, fetching: &mut Fetching) {
        let now = self.clock.now();
        if fetching.refetched_at.is_some_and(|at| now < at + REFETCH_EVERY) {
            return;
        }
        fetching.refetched_at = Some(now);
        match self.fetch().await {
            Ok(jwks) => self.hold(&jwks),
            Err(error) => {
                let error = crate::chain(&error);
                tracing::warn!(error, "keys cannot be fetched again, the ones at hand are kept");
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
