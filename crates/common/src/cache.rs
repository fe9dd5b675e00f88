//! The cache port: what was read is kept for a while, and dropped when it changes.
//!
//! A cache that is down costs a miss, never an error. One load at a time runs for a key; the others wait for it. A fill
//! is dropped if its key was invalidated after the load began, so that a slow reader never puts back what a writer has
//! just changed. A load is a task of its own: a request that begins one and ends before it leaves it to the others.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use prometheus::IntCounterVec;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::{Instrument as _, Span, field};

use crate::BoxError;
use crate::task::detached;
use crate::telemetry::metrics::Metrics;

mod backend;
mod codec;
mod in_flight;
mod memory;
mod redis;

pub use backend::{CacheBackend, Entry, FillToken};
use codec::Form;
use in_flight::{Loads, Turn};
pub use memory::MemoryCache;
pub use redis::{LONGEST, PATIENCE, RedisCache};

pub use crate::config::urls::{CacheUrl, RedisUrl};

/// The version of the keys: raised when the form of what is kept changes.
const KEY_VERSION: &str = "v1";

/// How long an answer is kept.
#[derive(Clone, Copy, Debug)]
pub struct Ttl {
    /// What was found.
    pub found: Duration,
    /// That nothing was found: short, since it may be made at any moment. Zero keeps nothing.
    pub missing: Duration,
}

/// A service's cache. Clones share it.
#[derive(Clone)]
pub struct Cache {
    backend: Arc<dyn CacheBackend>,
    service: &'static str,
    prefix: String,
    loads: Loads,
    requests: IntCounterVec,
}

impl Cache {
    /// The cache that this address names. It need not be there yet.
    ///
    /// # Panics
    /// Outside a Tokio runtime, where the address is that of a server.
    #[must_use]
    pub fn connect(url: &CacheUrl, service: &'static str, metrics: &Metrics) -> Self {
        match url {
            CacheUrl::Memory => Self::new(Arc::new(MemoryCache::new()), service, metrics),
            CacheUrl::Redis(url) => Self::new(Arc::new(RedisCache::connect(url)), service, metrics),
        }
    }

    /// Over any adapter; keys begin with the service's name and [`KEY_VERSION`].
    #[must_use]
    pub fn new(backend: Arc<dyn CacheBackend>, service: &'static str, metrics: &Metrics) -> Self {
        let requests = metrics.counter_vec("cache_requests_total", "Look-ups in the cache, by outcome.", &["outcome"]);
        for outcome in ["hit", "miss", "error"] {
            let _ = requests.with_label_values(&[outcome]);
        }
        Self { backend, service, prefix: format!("{service}:{KEY_VERSION}:"), loads: Loads::default(), requests }
    }

    /// Wraps the adapter in a decorator.
    #[must_use]
    pub(crate) fn decorated(mut self, decorate: impl FnOnce(Arc<dyn CacheBackend>) -> Arc<dyn CacheBackend>) -> Self {
        self.backend = decorate(self.backend);
        self
    }

    /// What is kept under `key`, or what `load` finds, which is kept then.
    ///
    /// # Errors
    /// Those of `load`.
    pub async fn get_or_load<T, E, F, Fut>(&self, key: &str, ttl: Ttl, load: F) -> Result<Option<T>, E>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: Send + 'static,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Option<T>, E>> + Send + 'static,
    {
        self.look_up_or_load(key, ttl, Form::json(), load).await
    }

    /// The same with bytes, for answers that are kept as they are sent.
    ///
    /// # Errors
    /// Those of `load`.
    pub async fn get_or_load_bytes<E, F, Fut>(&self, key: &str, ttl: Ttl, load: F) -> Result<Option<Bytes>, E>
    where
        E: Send + 'static,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Option<Bytes>, E>> + Send + 'static,
    {
        self.look_up_or_load(key, ttl, Form::BYTES, load).await
    }

    async fn look_up_or_load<T, E, F, Fut>(&self, key: &str, ttl: Ttl, form: Form<T>, load: F) -> Result<Option<T>, E>
    where
        T: Send + 'static,
        E: Send + 'static,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Option<T>, E>> + Send + 'static,
    {
        let key = format!("{}{key}", self.prefix);
        let span = self.span("get");
        let found = self.look_up(&key, &form).instrument(span.clone()).await;
        span.record("cache.hit", matches!(found, Ok(Some(_))));
        match found {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => drop(span),
            Err(error) => {
                failed(&span);
                drop(span);
                self.failed(&*error);
                return load().await;
            }
        }
        let turn = Turn::take(&self.loads, &key);
        let first = turn.flight.one_at_a_time.clone().lock_owned().await;
        let first = (!turn.flight.apart.load(Ordering::SeqCst)).then_some(first);
        // Whoever had the turn before may have filled it.
        if let Ok(Some(found)) = self.look_up(&key, &form).await {
            return Ok(found);
        }
        let cache = self.clone();
        detached::run(async move {
            let loaded = cache.load_and_fill(&turn, ttl, form, load).await;
            drop(first);
            loaded
        })
        .await
    }

    async fn load_and_fill<T, E, F, Fut>(&self, turn: &Turn, ttl: Ttl, form: Form<T>, load: F) -> Result<Option<T>, E>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Option<T>, E>>,
    {
        self.count("miss");
        let token = self.backend.begin_fill(&turn.key).await;
        let loaded = load().await;
        let kept = match &loaded {
            Ok(Some(value)) => (form.write)(value).map(|bytes| (Some(bytes), ttl.found)),
            Ok(None) => Some((None, ttl.missing)),
            Err(_) => None,
        };
        // A time to live of zero only ends the load.
        let (entry, ttl) = kept.unwrap_or((None, Duration::ZERO));
        if ttl.is_zero() {
            turn.flight.apart.store(true, Ordering::SeqCst);
        }
        let filled = match token {
            Ok(token) => self.backend.fill(&turn.key, token, entry, ttl).await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = filled {
            turn.flight.apart.store(true, Ordering::SeqCst);
            self.failed(&*error);
        }
        loaded
    }

    /// Drops what is kept under these keys, and what loads that are under way will bring. Call it after the commit.
    pub async fn invalidate(&self, keys: &[&str]) {
        let keys: Vec<_> = keys.iter().map(|key| format!("{}{key}", self.prefix)).collect();
        let span = self.span("invalidate");
        if let Err(error) = self.backend.invalidate(&keys).instrument(span.clone()).await {
            failed(&span);
            self.failed(&*error);
        }
    }

    /// Whether the cache answers.
    ///
    /// # Errors
    /// If it does not.
    pub async fn ping(&self) -> Result<(), BoxError> {
        self.backend.ping().await
    }

    /// What is kept, if it can be read: what an older version kept in another form is loaded again.
    async fn look_up<T>(&self, key: &str, form: &Form<T>) -> Result<Option<Option<T>>, BoxError> {
        let found = match self.backend.get(key).await? {
            Some(Some(bytes)) => (form.read)(&bytes).map(Some),
            Some(None) => Some(None),
            None => None,
        };
        if found.is_some() {
            self.count("hit");
        }
        Ok(found)
    }

    /// A span within the trace that asks; it names no key, which could tell of whom it is.
    fn span(&self, operation: &'static str) -> Span {
        if Span::current().is_none() {
            return Span::none();
        }
        tracing::info_span!(
            "cache",
            otel.name = format!("cache {operation}"),
            otel.kind = "client",
            otel.status_code = field::Empty,
            service.name = self.service,
            db.system.name = self.backend.system(),
            db.operation.name = operation,
            cache.hit = field::Empty,
        )
    }

    fn count(&self, outcome: &str) {
        self.requests.with_label_values(&[outcome]).inc();
    }

    fn failed(&self, error: &(dyn std::error::Error + 'static)) {
        self.count("error");
        tracing::debug!(error = crate::error_chain(error), "the cache does not answer");
    }
}

fn failed(span: &Span) {
    span.record("otel.status_code", "ERROR");
}
