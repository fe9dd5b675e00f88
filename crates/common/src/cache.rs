//! Cache of values that are expensive to load, invalidated when they change.
//!
//! An unavailable cache causes misses, never errors. At most one load per key runs at a time; other callers wait for
//! it. A fill is discarded if its key was invalidated after the load began, so a slow reader never restores what a
//! writer has just changed. A load runs as its own task: if the request that began it ends early, the load continues for
//! the others.
//!
//! ```no_run
//! # async fn example(cache: common::cache::Cache) -> Result<(), std::io::Error> {
//! use std::time::Duration;
//! let ttl = common::cache::Ttl { found: Duration::from_secs(300), missing: Duration::from_secs(30) };
//! let name: Option<String> = cache.get_or_load("product:1", ttl, || async { Ok::<_, std::io::Error>(None) }).await?;
//! cache.invalidate(&["product:1"]).await;
//! # Ok(()) }
//! ```

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
#[cfg(feature = "redis")]
mod redis;

pub use backend::{CacheBackend, Entry, FillToken};
use codec::Codec;
use in_flight::{InFlightLoads, LoadGuard};
pub use memory::MemoryCache;
#[cfg(feature = "redis")]
pub use redis::{MAX_TTL, RedisCache, TIMEOUT};

pub use crate::config::urls::CacheUrl;
#[cfg(feature = "redis")]
pub use crate::config::urls::RedisUrl;

/// Version of the keys. It changes with the encoding of the values.
const KEY_VERSION: &str = "v1";

/// Times to live of cache entries.
#[derive(Clone, Copy, Debug)]
pub struct Ttl {
    /// Time to live of a value.
    pub found: Duration,
    /// Time to live of the absence of a value. It is short, since the value may be created at any moment; zero caches
    /// nothing.
    pub missing: Duration,
}

/// Cache of a service. Clones share the entries.
#[derive(Clone)]
pub struct Cache {
    backend: Arc<dyn CacheBackend>,
    service: &'static str,
    prefix: String,
    loads: InFlightLoads,
    requests: IntCounterVec,
}

impl Cache {
    /// Creates the cache that the address names. The server need not be available yet.
    ///
    /// # Panics
    /// Outside a Tokio runtime, if the address is that of a server.
    #[must_use]
    pub fn connect(url: &CacheUrl, service: &'static str, metrics: &Metrics) -> Self {
        match url {
            CacheUrl::Memory => Self::new(Arc::new(MemoryCache::new()), service, metrics),
            #[cfg(feature = "redis")]
            CacheUrl::Redis(url) => Self::new(Arc::new(RedisCache::connect(url)), service, metrics),
        }
    }

    /// Creates a cache over an adapter. Keys are prefixed with the service's name and [`KEY_VERSION`].
    #[must_use]
    pub fn new(backend: Arc<dyn CacheBackend>, service: &'static str, metrics: &Metrics) -> Self {
        let requests = metrics.counter_vec("cache_requests_total", "Cache lookups by outcome.", &["outcome"]);
        for outcome in ["hit", "miss", "error"] {
            let _ = requests.with_label_values(&[outcome]);
        }
        Self {
            backend,
            service,
            prefix: format!("{service}:{KEY_VERSION}:"),
            loads: InFlightLoads::default(),
            requests,
        }
    }

    /// Wraps the adapter in a decorator.
    #[must_use]
    pub(crate) fn decorated(mut self, decorate: impl FnOnce(Arc<dyn CacheBackend>) -> Arc<dyn CacheBackend>) -> Self {
        self.backend = decorate(self.backend);
        self
    }

    /// Returns the value of `key` from the cache, or loads and caches it.
    ///
    /// # Errors
    /// Errors of `load`.
    pub async fn get_or_load<T, E, F, Fut>(&self, key: &str, ttl: Ttl, load: F) -> Result<Option<T>, E>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: Send + 'static,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Option<T>, E>> + Send + 'static,
    {
        self.lookup_or_load(key, ttl, Codec::json(), load).await
    }

    /// Returns the bytes of `key` from the cache, or loads and caches them.
    ///
    /// # Errors
    /// Errors of `load`.
    pub async fn get_or_load_bytes<E, F, Fut>(&self, key: &str, ttl: Ttl, load: F) -> Result<Option<Bytes>, E>
    where
        E: Send + 'static,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Option<Bytes>, E>> + Send + 'static,
    {
        self.lookup_or_load(key, ttl, Codec::BYTES, load).await
    }

    async fn lookup_or_load<T, E, F, Fut>(&self, key: &str, ttl: Ttl, codec: Codec<T>, load: F) -> Result<Option<T>, E>
    where
        T: Send + 'static,
        E: Send + 'static,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Option<T>, E>> + Send + 'static,
    {
        let key = format!("{}{key}", self.prefix);
        let span = self.span("get");
        let found = self.lookup(&key, &codec).instrument(span.clone()).await;
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
        let guard = LoadGuard::take(&self.loads, &key);
        let first = guard.load.one_at_a_time.clone().lock_owned().await;
        let first = (!guard.load.concurrent.load(Ordering::SeqCst)).then_some(first);
        // The previous holder of the guard may have filled the key.
        if let Ok(Some(found)) = self.lookup(&key, &codec).await {
            return Ok(found);
        }
        let cache = self.clone();
        detached::run(async move {
            let loaded = cache.load_and_fill(&guard, ttl, codec, load).await;
            drop(first);
            loaded
        })
        .await
    }

    async fn load_and_fill<T, E, F, Fut>(
        &self,
        guard: &LoadGuard,
        ttl: Ttl,
        codec: Codec<T>,
        load: F,
    ) -> Result<Option<T>, E>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Option<T>, E>>,
    {
        self.count("miss");
        let token = self.backend.begin_fill(&guard.key).await;
        let loaded = load().await;
        let stored = match &loaded {
            Ok(Some(value)) => (codec.write)(value).map(|bytes| (Some(bytes), ttl.found)),
            Ok(None) => Some((None, ttl.missing)),
            Err(_) => None,
        };
        // A time to live of zero ends the load without an entry.
        let (entry, ttl) = stored.unwrap_or((None, Duration::ZERO));
        if ttl.is_zero() {
            guard.load.concurrent.store(true, Ordering::SeqCst);
        }
        let filled = match token {
            Ok(token) => self.backend.fill(&guard.key, token, entry, ttl).await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = filled {
            guard.load.concurrent.store(true, Ordering::SeqCst);
            self.failed(&*error);
        }
        loaded
    }

    /// Invalidates keys and the fills of loads in progress. Callers invalidate after their commit.
    pub async fn invalidate(&self, keys: &[&str]) {
        let keys: Vec<_> = keys.iter().map(|key| format!("{}{key}", self.prefix)).collect();
        let span = self.span("invalidate");
        if let Err(error) = self.backend.invalidate(&keys).instrument(span.clone()).await {
            failed(&span);
            self.failed(&*error);
        }
    }

    /// Checks that the cache is available.
    ///
    /// # Errors
    /// The cache is unavailable.
    pub async fn ping(&self) -> Result<(), BoxError> {
        self.backend.ping().await
    }

    /// Returns the entry of a key. An entry that cannot be decoded, such as one of an older version, counts as a miss.
    async fn lookup<T>(&self, key: &str, codec: &Codec<T>) -> Result<Option<Option<T>>, BoxError> {
        let found = match self.backend.get(key).await? {
            Some(Some(bytes)) => (codec.read)(&bytes).map(Some),
            Some(None) => Some(None),
            None => None,
        };
        if found.is_some() {
            self.count("hit");
        }
        Ok(found)
    }

    /// Creates a span within the caller's trace. The span does not name the key, which may identify a person.
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
        tracing::debug!(error = crate::error_chain(error), "cache call failed");
    }
}

fn failed(span: &Span) {
    span.record("otel.status_code", "ERROR");
}
