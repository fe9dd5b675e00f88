//! Loads whose result cannot be cached.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::cache::{Cache, MemoryCache, Ttl};
use common::metrics::Metrics;
use tokio::sync::{Barrier, Notify};

const DEADLINE: Duration = Duration::from_secs(30);
const TTL: Ttl = Ttl { found: Duration::from_secs(3600), missing: Duration::from_secs(3600) };

fn cache() -> Cache {
    Cache::new(Arc::new(MemoryCache::new()), "any", &Metrics::new())
}

#[tokio::test]
async fn undecodable_entry_is_loaded_again() {
    let cache = cache();
    let old = || async { Ok::<_, Infallible>(Some(Bytes::from_static(b"of an older form"))) };
    cache.get_or_load_bytes("key", TTL, old).await.unwrap();
    for value in [7_u32, 8] {
        let load = move || async move { Ok::<_, Infallible>(Some(value)) };
        assert_eq!(
            cache.get_or_load("key", TTL, load).await,
            Ok(Some(7)),
            "loaded once, and cached instead of the old entry"
        );
    }
}

#[tokio::test]
async fn unencodable_value_is_not_cached_as_missing() {
    let cache = cache();
    // JSON has no objects with such keys.
    let found = BTreeMap::from([((1_u8, 2_u8), 3_u8)]);
    for _ in 0..2 {
        let loaded = found.clone();
        let load = move || async move { Ok::<_, Infallible>(Some(loaded)) };
        assert_eq!(cache.get_or_load("key", TTL, load).await, Ok(Some(found.clone())));
    }
}

/// Waiters of a failed load would otherwise fail one after another, each after a timeout of its own.
async fn waiters_continue_together(first: Result<Option<u32>, &'static str>, ttl: Ttl) {
    const OTHERS: usize = 8;
    let (cache, loading, go) = (cache(), Arc::new(Notify::new()), Arc::new(Notify::new()));
    let leader = {
        let (cache, loading, go) = (cache.clone(), loading.clone(), go.clone());
        tokio::spawn(async move {
            let load = move || async move {
                loading.notify_one();
                go.notified().await;
                first
            };
            cache.get_or_load("key", ttl, load).await
        })
    };
    loading.notified().await;
    let together = Arc::new(Barrier::new(OTHERS));
    let others: Vec<_> = (0..OTHERS)
        .map(|_| {
            let (cache, together) = (cache.clone(), together.clone());
            tokio::spawn(async move {
                let load = move || async move {
                    together.wait().await;
                    Ok::<Option<u32>, &str>(None)
                };
                cache.get_or_load("key", ttl, load).await
            })
        })
        .collect();
    // They are spawned before the leader is woken, so on this single-threaded runtime they wait for it by then.
    go.notify_one();
    assert_eq!(leader.await.unwrap(), first);
    for other in others {
        let response =
            tokio::time::timeout(DEADLINE, other).await.expect("no load waits for another that is under way");
        assert_eq!(response.unwrap(), Ok(None));
    }
}

#[tokio::test]
async fn failed_load_blocks_no_waiter() {
    waiters_continue_together(Err("unavailable"), TTL).await;
}

#[tokio::test]
async fn uncached_load_blocks_no_waiter() {
    waiters_continue_together(Ok(None), Ttl { missing: Duration::ZERO, ..TTL }).await;
}

/// A request that starts a load and ends before it, by its deadline or because its client disconnected, leaves the load to
/// its waiters.
#[tokio::test]
async fn load_outlives_its_request() {
    let (cache, loading, go) = (cache(), Arc::new(Notify::new()), Arc::new(Notify::new()));
    let first = {
        let (cache, loading, go) = (cache.clone(), loading.clone(), go.clone());
        tokio::spawn(async move {
            let load = move || async move {
                loading.notify_one();
                go.notified().await;
                Ok::<_, Infallible>(Some(1_u32))
            };
            cache.get_or_load("key", TTL, load).await
        })
    };
    loading.notified().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    let second = tokio::spawn(async move {
        let load = || async { Ok::<_, Infallible>(Some(2_u32)) };
        cache.get_or_load("key", TTL, load).await
    });
    go.notify_one();
    let found = tokio::time::timeout(DEADLINE, second).await.expect("the load goes on").unwrap();
    assert_eq!(found, Ok(Some(1)), "it is loaded once");
}
