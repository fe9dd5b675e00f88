//! Cache in memory: conformance, and the behaviour of any unavailable cache.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use common::BoxError;
use common::cache::{Cache, CacheBackend, Entry, FillToken, MemoryCache, Ttl};
use common::metrics::Metrics;

#[tokio::test]
async fn memory_cache_passes_the_conformance_suite() {
    testkit::cache::suite(Arc::new(MemoryCache::new())).await;
}

struct Down;

#[async_trait]
impl CacheBackend for Down {
    async fn get(&self, _key: &str) -> Result<Option<Entry>, BoxError> {
        Err("unavailable".into())
    }

    async fn begin_fill(&self, _key: &str) -> Result<FillToken, BoxError> {
        Err("unavailable".into())
    }

    async fn fill(&self, _key: &str, _token: FillToken, _entry: Entry, _ttl: Duration) -> Result<bool, BoxError> {
        Err("unavailable".into())
    }

    async fn invalidate(&self, _keys: &[String]) -> Result<(), BoxError> {
        Err("unavailable".into())
    }

    async fn ping(&self) -> Result<(), BoxError> {
        Err("unavailable".into())
    }

    fn system(&self) -> &'static str {
        "test"
    }
}

#[tokio::test]
async fn unavailable_cache_is_a_miss() {
    let metrics = Metrics::new();
    let cache = Cache::new(Arc::new(Down), "any", &metrics);
    let ttl = Ttl { found: Duration::from_secs(60), missing: Duration::ZERO };
    for value in [1_u32, 2] {
        let load = move || async move { Ok::<_, std::convert::Infallible>(Some(value)) };
        assert_eq!(cache.get_or_load("key", ttl, load).await, Ok(Some(value)));
    }
    cache.invalidate(&["key"]).await;
    assert!(metrics.render().contains("cache_requests_total{outcome=\"error\"} 3"), "{}", metrics.render());
}
