//! The cache on a Redis: its rules, what is kept there, and that one which is away costs nobody an answer.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use common::BoxError;
use common::cache::{Cache, CacheBackend, Entry, FillToken, PATIENCE, RedisCache, Ttl};
use common::metrics::Metrics;
use testkit::{eventually, servers};
use tokio::time::Instant;

const DEADLINE: Duration = Duration::from_secs(30);
/// Longer than any pause of a busy machine.
const PATIENT: Duration = Duration::from_secs(20);
/// What a Redis that is away or slow may cost a request.
const MOST: Duration = Duration::from_millis(50);
const HOUR: Duration = Duration::from_secs(3600);
const TTL: Ttl = Ttl { found: HOUR, missing: HOUR };

fn adapter(url: &str, patience: Duration) -> Arc<RedisCache> {
    Arc::new(RedisCache::with_patience(&url.parse().unwrap(), patience))
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

/// Keeps new values until one of them is found again.
async fn keeps_again(cache: &Cache) {
    let mut next = 1000;
    loop {
        next += 1;
        let found = load(cache, next).await;
        if found != next {
            return;
        }
        assert!(next < 4000, "nothing is kept any more");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn redis_keeps_the_rules_of_a_cache() {
    let Some(server) = servers::Redis::start().await else { return };
    let adapter = adapter(&server.url(), PATIENT);
    reached(&adapter).await;
    testkit::cache::suite(adapter).await;

    let mut connection = raw(&server.url()).await;
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
    assert!(keys.iter().any(|key| key.starts_with("suite:v1:")), "{keys:?}");
    for key in keys {
        let left: i64 = redis::cmd("PTTL").arg(&key).query_async(&mut connection).await.unwrap();
        // -2: it has just run out. -1 would be a key that never does.
        assert!(left == -2 || (0..=3_600_000).contains(&left), "{key} lives for {left} ms");
    }
}

#[tokio::test]
async fn an_invalidation_reaches_the_loads_of_other_processes() {
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
async fn what_somebody_else_wrote_is_a_miss() {
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
async fn a_redis_that_starts_late_is_used_once_it_is_there() {
    let Some(server) = servers::Redis::start().await else { return };
    server.process.kill();
    let adapter = adapter(&server.url(), PATIENT);
    let metrics = Metrics::new();
    let cache = Cache::new(adapter, "any", &metrics);
    assert!(cache.ping().await.is_err());
    for value in [1, 2] {
        assert_eq!(load(&cache, value).await, value);
    }
    assert!(metrics.render().contains("cache_requests_total{outcome=\"error\"} 2"), "{}", metrics.render());
    server.restart().await;
    keeps_again(&cache).await;
}

#[tokio::test]
async fn a_redis_that_dies_and_comes_back_costs_no_answer() {
    let Some(server) = servers::Redis::start().await else { return };
    let adapter = adapter(&server.url(), PATIENT);
    reached(&adapter).await;
    let cache = Cache::new(adapter, "any", &Metrics::new());
    assert_eq!((load(&cache, 1).await, load(&cache, 2).await), (1, 1));
    for _ in 0..2 {
        server.process.kill();
        for value in 10..20 {
            assert_eq!(load(&cache, value).await, value);
        }
        assert!(cache.ping().await.is_err());
        server.restart().await;
        keeps_again(&cache).await;
    }
}

#[tokio::test]
async fn what_was_invalidated_while_redis_was_frozen_is_not_read_afterwards() {
    let Some(server) = servers::Redis::start().await else { return };
    let frozen = adapter(&server.url(), Duration::from_millis(500));
    reached(&frozen).await;
    let cache = Cache::new(frozen, "any", &Metrics::new());
    let mut value = 1;
    eventually("a value is kept", DEADLINE, || {
        value += 1;
        let (cache, value) = (cache.clone(), value);
        async move { (load(&cache, value).await != value).then_some(()) }
    })
    .await;
    let old = load(&cache, 0).await;
    server.process.freeze().await;
    assert_eq!(load(&cache, 100).await, 100, "it does not answer, so it is as if nothing were kept");
    cache.invalidate(&["key"]).await;
    server.process.thaw();
    eventually("Redis is used again", DEADLINE, || async { cache.ping().await.ok() }).await;
    assert_ne!(load(&cache, 200).await, old);
    keeps_again(&cache).await;
}

/// Time stands still but for the cache's own waiting, so that what is counted is what it waits, on any machine.
#[tokio::test]
async fn a_frozen_redis_costs_50_ms_once_and_then_nothing() {
    let Some(server) = servers::Redis::start().await else { return };
    let adapter = adapter(&server.url(), PATIENCE);
    reached(&adapter).await;
    let cache = Cache::new(adapter, "any", &Metrics::new());
    server.process.freeze().await;
    tokio::time::pause();
    let begun = Instant::now();
    assert_eq!(load(&cache, 1).await, 1);
    assert!(begun.elapsed() <= MOST, "{:?}", begun.elapsed());
    let begun = Instant::now();
    for value in 2..100 {
        assert_eq!(load(&cache, value).await, value);
        cache.invalidate(&["key"]).await;
    }
    assert_eq!(begun.elapsed(), Duration::ZERO, "it is known to be away");
}

/// Answers nearly too late, each time.
struct Slow;

#[async_trait]
impl CacheBackend for Slow {
    async fn get(&self, _key: &str) -> Result<Option<Entry>, BoxError> {
        tokio::time::sleep(PATIENCE).await;
        Ok(None)
    }

    async fn begin_fill(&self, _key: &str) -> Result<FillToken, BoxError> {
        tokio::time::sleep(PATIENCE).await;
        Ok(FillToken(1))
    }

    async fn fill(&self, _key: &str, _token: FillToken, _entry: Entry, _ttl: Duration) -> Result<bool, BoxError> {
        tokio::time::sleep(PATIENCE).await;
        Ok(true)
    }

    async fn invalidate(&self, _keys: &[String]) -> Result<(), BoxError> {
        tokio::time::sleep(PATIENCE).await;
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
async fn a_slow_redis_costs_a_look_up_50_ms_at_most() {
    let cache = Cache::new(Arc::new(Slow), "any", &Metrics::new());
    let begun = Instant::now();
    assert_eq!(load(&cache, 1).await, 1);
    assert!(begun.elapsed() <= MOST, "{:?}", begun.elapsed());
}
