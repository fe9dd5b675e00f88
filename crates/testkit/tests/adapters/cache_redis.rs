//! Cache on Redis: conformance, stored entries, and requests during an outage.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use common::BoxError;
use common::cache::{Cache, CacheBackend, Entry, FillToken, RedisCache, TIMEOUT, Ttl};
use common::telemetry::metrics::Metrics;
use testkit::{eventually, servers};
use tokio::time::Instant;

const DEADLINE: Duration = Duration::from_secs(30);
/// Timeout longer than any pause of a busy machine.
const PATIENT: Duration = Duration::from_secs(20);
/// Maximum delay of a request by an unavailable or slow Redis.
const MOST: Duration = Duration::from_millis(50);
const HOUR: Duration = Duration::from_secs(3600);
const TTL: Ttl = Ttl { found: HOUR, missing: HOUR };

fn adapter(url: &str, patience: Duration) -> Arc<RedisCache> {
    Arc::new(RedisCache::with_timeout(&url.parse().unwrap(), patience))
}

async fn reached(adapter: &RedisCache) {
    eventually("Redis is reached", DEADLINE, || async { adapter.ping().await.ok() }).await;
}

async fn load(cache: &Cache, value: u32) -> u32 {
    let load = move || async move { Ok::<_, Infallible>(Some(value)) };
    cache.get_or_load("key", TTL, load).await.unwrap().unwrap()
}

async fn raw(url: &str) -> redis::aio::MultiplexedConnection {
    redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap()
}

/// Caches new values until one of them is read back.
async fn keeps_again(cache: &Cache) {
    let mut next = 1000;
    loop {
        next += 1;
        let found = load(cache, next).await;
        if found != next {
            return;
        }
        assert!(next < 4000, "no value is cached any more");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn redis_cache_passes_the_conformance_suite() {
    let Some(server) = servers::available(servers::Redis::start().await) else { return };
    let adapter = adapter(&server.url(), PATIENT);
    reached(&adapter).await;
    testkit::cache::suite(adapter).await;

    let mut connection = raw(&server.url()).await;
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
    assert!(keys.iter().any(|key| key.starts_with("suite:v1:")), "{keys:?}");
    for key in keys {
        let left: i64 = redis::cmd("PTTL").arg(&key).query_async(&mut connection).await.unwrap();
        // -2: the key has just expired. -1 would be a key without expiry.
        assert!(left == -2 || (0..=3_600_000).contains(&left), "{key} lives for {left} ms");
    }
}

#[tokio::test]
async fn invalidation_reaches_loads_of_other_processes() {
    let Some(server) = servers::redis().await else { return };
    let (one, other) = (adapter(&server.url(), PATIENT), adapter(&server.url(), PATIENT));
    reached(&one).await;
    reached(&other).await;
    let value = || Some(Bytes::from_static(b"old"));

    let stale = one.begin_fill("shared").await.unwrap();
    other.invalidate(&["shared".to_owned()]).await.unwrap();
    assert!(!one.fill("shared", stale, value(), HOUR).await.unwrap());
    let reloaded = other.begin_fill("shared").await.unwrap();
    assert!(!one.fill("shared", stale, value(), HOUR).await.unwrap(), "also once another load began");
    assert_eq!(other.get("shared").await.unwrap(), None);
    assert!(other.fill("shared", reloaded, None, HOUR).await.unwrap());
    assert_eq!(one.get("shared").await.unwrap(), Some(None));
}

#[tokio::test]
async fn foreign_entry_is_a_miss() {
    let Some(server) = servers::redis().await else { return };
    let adapter = adapter(&server.url(), PATIENT);
    reached(&adapter).await;
    let mut connection = raw(&server.url()).await;
    for (key, value) in [("foreign", "text"), ("empty", "")] {
        let mut set = redis::cmd("SET");
        set.arg(key).arg(value).exec_async(&mut connection).await.unwrap();
        assert_eq!(adapter.get(key).await.unwrap(), None);
    }
    redis::cmd("LPUSH").arg("list").arg("1").exec_async(&mut connection).await.unwrap();
    assert!(adapter.get("list").await.is_err());
    adapter.ping().await.unwrap();
}

#[tokio::test]
async fn redis_started_late_is_used_once_available() {
    let Some(server) = servers::available(servers::Redis::start().await) else { return };
    server.process.kill().unwrap();
    let adapter = adapter(&server.url(), PATIENT);
    let metrics = Metrics::new();
    let cache = Cache::new(adapter, "any", &metrics);
    assert!(cache.ping().await.is_err());
    for value in [1, 2] {
        assert_eq!(load(&cache, value).await, value);
    }
    assert!(metrics.render().contains("cache_requests_total{outcome=\"error\"} 2"), "{}", metrics.render());
    server.restart().await.unwrap();
    keeps_again(&cache).await;
}

#[tokio::test]
async fn redis_restart_fails_no_request() {
    let Some(server) = servers::available(servers::Redis::start().await) else { return };
    let adapter = adapter(&server.url(), PATIENT);
    reached(&adapter).await;
    let cache = Cache::new(adapter, "any", &Metrics::new());
    assert_eq!((load(&cache, 1).await, load(&cache, 2).await), (1, 1));
    for _ in 0..2 {
        server.process.kill().unwrap();
        for value in 10..20 {
            assert_eq!(load(&cache, value).await, value);
        }
        assert!(cache.ping().await.is_err());
        server.restart().await.unwrap();
        keeps_again(&cache).await;
    }
}

#[tokio::test]
async fn entry_invalidated_while_redis_was_frozen_is_not_read() {
    let Some(server) = servers::available(servers::Redis::start().await) else { return };
    let frozen = adapter(&server.url(), Duration::from_millis(500));
    reached(&frozen).await;
    let cache = Cache::new(frozen, "any", &Metrics::new());
    let mut value = 1;
    eventually("a cached value", DEADLINE, || {
        value += 1;
        let (cache, value) = (cache.clone(), value);
        async move { (load(&cache, value).await != value).then_some(()) }
    })
    .await;
    let old = load(&cache, 0).await;
    server.process.freeze().await.unwrap();
    assert_eq!(load(&cache, 100).await, 100, "an unresponsive Redis is a miss");
    cache.invalidate(&["key"]).await;
    server.process.unfreeze().unwrap();
    eventually("Redis is used again", DEADLINE, || async { cache.ping().await.ok() }).await;
    assert_ne!(load(&cache, 200).await, old);
    keeps_again(&cache).await;
}

/// Paused time advances by the cache's own waits only, so that these are measured, on any machine.
#[tokio::test]
async fn frozen_redis_costs_50_ms_once() {
    let Some(server) = servers::available(servers::Redis::start().await) else { return };
    let adapter = adapter(&server.url(), TIMEOUT);
    reached(&adapter).await;
    let cache = Cache::new(adapter, "any", &Metrics::new());
    server.process.freeze().await.unwrap();
    tokio::time::pause();
    let started = Instant::now();
    assert_eq!(load(&cache, 1).await, 1);
    assert!(started.elapsed() <= MOST, "{:?}", started.elapsed());
    let started = Instant::now();
    for value in 2..100 {
        assert_eq!(load(&cache, value).await, value);
        cache.invalidate(&["key"]).await;
    }
    assert_eq!(started.elapsed(), Duration::ZERO, "it is known to be unavailable");
}

/// Backend that responds just before each timeout.
struct Slow;

#[async_trait]
impl CacheBackend for Slow {
    async fn get(&self, _key: &str) -> Result<Option<Entry>, BoxError> {
        tokio::time::sleep(TIMEOUT).await;
        Ok(None)
    }

    async fn begin_fill(&self, _key: &str) -> Result<FillToken, BoxError> {
        tokio::time::sleep(TIMEOUT).await;
        Ok(FillToken(1))
    }

    async fn fill(&self, _key: &str, _token: FillToken, _entry: Entry, _ttl: Duration) -> Result<bool, BoxError> {
        tokio::time::sleep(TIMEOUT).await;
        Ok(true)
    }

    async fn invalidate(&self, _keys: &[String]) -> Result<(), BoxError> {
        tokio::time::sleep(TIMEOUT).await;
        Ok(())
    }

    async fn ping(&self) -> Result<(), BoxError> {
        Ok(())
    }

    fn system(&self) -> &'static str {
        "test"
    }
}

#[tokio::test(start_paused = true)]
async fn slow_redis_costs_a_lookup_at_most_50_ms() {
    let cache = Cache::new(Arc::new(Slow), "any", &Metrics::new());
    let started = Instant::now();
    assert_eq!(load(&cache, 1).await, 1);
    assert!(started.elapsed() <= MOST, "{:?}", started.elapsed());
}
