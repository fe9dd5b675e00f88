//! The conformance suite of the cache: every adapter runs it.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use common::cache::{Cache, CacheBackend, Ttl};
use common::metrics::Metrics;
use tokio::sync::Notify;

use crate::eventually;

const DEADLINE: Duration = Duration::from_secs(30);
const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(50);
const TTL: Ttl = Ttl { found: LONG, missing: LONG };

fn bytes(text: &'static str) -> Option<Bytes> {
    Some(Bytes::from_static(text.as_bytes()))
}

/// Runs the suite on an empty cache.
///
/// # Panics
/// If the adapter breaks a rule.
pub async fn suite(backend: Arc<dyn CacheBackend>) {
    backend.ping().await.expect("an answer");
    entries(&*backend).await;
    expires(&*backend).await;
    let metrics = Metrics::new();
    let cache = Cache::new(backend.clone(), "suite", &metrics);
    loads_once(&cache).await;
    drops_a_stale_fill(&cache).await;
    stays_apart(&cache, &Cache::new(backend, "another", &metrics)).await;
    assert!(metrics.render().contains("cache_requests_total{outcome=\"hit\"}"), "{}", metrics.render());
}

/// A fill is kept until its key is invalidated; one whose key was invalidated meanwhile is not.
async fn entries(backend: &dyn CacheBackend) {
    assert_eq!(backend.get("a").await.expect("an answer"), None);
    let token = backend.begin_fill("a").await.expect("a token");
    assert!(backend.fill("a", token, bytes("1"), LONG).await.expect("an answer"));
    let nothing = backend.begin_fill("b").await.expect("a token");
    assert!(backend.fill("b", nothing, None, LONG).await.expect("an answer"));
    assert_eq!(backend.get("a").await.expect("an answer"), Some(bytes("1")));
    assert_eq!(backend.get("b").await.expect("an answer"), Some(None), "that there is nothing is kept too");

    let stale = backend.begin_fill("a").await.expect("a token");
    backend.invalidate(&["a".to_owned(), "never".to_owned()]).await.expect("an answer");
    assert_eq!(backend.get("a").await.expect("an answer"), None);
    assert!(!backend.fill("a", stale, bytes("old"), LONG).await.expect("an answer"));
    assert_eq!(backend.get("a").await.expect("an answer"), None);
    assert_eq!(backend.get("b").await.expect("an answer"), Some(None), "another key is not meant");
    let fresh = backend.begin_fill("a").await.expect("a token");
    assert!(backend.fill("a", fresh, bytes("2"), LONG).await.expect("an answer"));
    assert_eq!(backend.get("a").await.expect("an answer"), Some(bytes("2")));
}

/// A time to live ends, a longer one does not with it, and none keeps nothing.
async fn expires(backend: &dyn CacheBackend) {
    for (key, ttl) in [("short", SHORT), ("long", LONG), ("none", Duration::ZERO)] {
        let token = backend.begin_fill(key).await.expect("a token");
        backend.fill(key, token, bytes("1"), ttl).await.expect("an answer");
    }
    assert_eq!(backend.get("none").await.expect("an answer"), None);
    eventually("the short one is gone", DEADLINE, || async {
        backend.get("short").await.expect("an answer").is_none().then_some(())
    })
    .await;
    assert_eq!(backend.get("long").await.expect("an answer"), Some(bytes("1")));
}

/// Many that want the same key at once cost one load; a load that fails is no answer for the others.
async fn loads_once(cache: &Cache) {
    let loads = Arc::new(AtomicU32::new(0));
    let callers = (0..16).map(|_| {
        let (cache, loads) = (cache.clone(), loads.clone());
        tokio::spawn(async move {
            let load = move || async move {
                loads.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                Ok::<_, Infallible>(Some(7_u32))
            };
            cache.get_or_load("number", TTL, load).await
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        assert_eq!(caller.await.expect("no panic"), Ok(Some(7)));
    }
    assert_eq!(loads.load(Ordering::SeqCst), 1);

    let failed = cache.get_or_load::<u32, _, _, _>("fails", TTL, || async { Err("away") }).await;
    assert_eq!(failed, Err("away"));
    let loaded = cache.get_or_load("fails", TTL, || async { Ok::<_, Infallible>(Some(1_u32)) }).await;
    assert_eq!(loaded, Ok(Some(1)));
}

/// A reader that loaded before a write does not put the old back after it.
async fn drops_a_stale_fill(cache: &Cache) {
    let (reading, written) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (cache, reading, written) = (cache.clone(), reading.clone(), written.clone());
        tokio::spawn(async move {
            let load = move || async move {
                reading.notify_one();
                written.notified().await;
                Ok::<_, Infallible>(bytes("old"))
            };
            cache.get_or_load_bytes("raced", TTL, load).await
        })
    };
    reading.notified().await;
    cache.invalidate(&["raced"]).await;
    written.notify_one();
    assert_eq!(slow.await.expect("no panic"), Ok(bytes("old")), "the slow reader's own answer is what it read");
    let fresh = cache.get_or_load_bytes("raced", TTL, || async { Ok::<_, Infallible>(bytes("new")) }).await;
    assert_eq!(fresh, Ok(bytes("new")));
    let kept = cache.get_or_load_bytes("raced", TTL, || async { Ok::<_, Infallible>(bytes("newer")) }).await;
    assert_eq!(kept, Ok(bytes("new")));
}

/// Services do not see each other's entries.
async fn stays_apart(one: &Cache, other: &Cache) {
    let load = |value: u32| move || async move { Ok::<_, Infallible>(Some(value)) };
    assert_eq!(one.get_or_load("shared", TTL, load(1)).await, Ok(Some(1)));
    assert_eq!(other.get_or_load("shared", TTL, load(2)).await, Ok(Some(2)));
}
