//! What the cache does with a load whose outcome it cannot keep.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

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
async fn what_cannot_be_read_any_more_is_loaded_again() {
    let cache = cache();
    let old = || async { Ok::<_, Infallible>(Some(Bytes::from_static(b"of an older form"))) };
    cache.get_or_load_bytes("key", TTL, old).await.unwrap();
    for value in [7_u32, 8] {
        let load = move || async move { Ok::<_, Infallible>(Some(value)) };
        assert_eq!(cache.get_or_load("key", TTL, load).await, Ok(Some(7)), "loaded once, and kept in place of the old");
    }
}

#[tokio::test]
async fn what_cannot_be_written_is_not_kept_as_missing() {
    let cache = cache();
    // JSON has no objects with such keys.
    let found = BTreeMap::from([((1_u8, 2_u8), 3_u8)]);
    for _ in 0..2 {
        let loaded = found.clone();
        let load = move || async move { Ok::<_, Infallible>(Some(loaded)) };
        assert_eq!(cache.get_or_load("key", TTL, load).await, Ok(Some(found.clone())));
    }
}

/// Those that waited for a load that failed would else fail one after the other, each after a time-out of its own.
async fn those_that_waited_go_on_together(first: Result<Option<u32>, &'static str>, ttl: Ttl) {
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
    // They were spawned before the leader is woken, so on this runtime of one thread they wait for it by then.
    go.notify_one();
    assert_eq!(leader.await.unwrap(), first);
    for other in others {
        let answer = tokio::time::timeout(DEADLINE, other).await.expect("no load waits for another that is under way");
        assert_eq!(answer.unwrap(), Ok(None));
    }
}

#[tokio::test]
async fn a_load_that_fails_holds_up_no_other() {
    those_that_waited_go_on_together(Err("away"), TTL).await;
}

#[tokio::test]
async fn a_load_whose_outcome_is_not_kept_holds_up_no_other() {
    those_that_waited_go_on_together(Ok(None), Ttl { missing: Duration::ZERO, ..TTL }).await;
}

/// A request that begins a load and ends before it, by its deadline or since its client went away, leaves the load to those
/// that wait for it.
#[tokio::test]
async fn load_outlives_the_request_that_began_it() {
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
