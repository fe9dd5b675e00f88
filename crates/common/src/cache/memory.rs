//! The cache in this process.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use moka::Expiry;
use moka::sync::Cache;

use super::backend::{CacheBackend, Entry, FillToken};
use crate::BoxError;

/// The most that is kept, in bytes.
const CAPACITY: u64 = 32 * 1024 * 1024;
/// What an entry costs beside its key and value, in bytes, as measured over 60,000 of them: else a flood of look-ups of
/// what does not exist, whose entries are all overhead, would take many times [`CAPACITY`].
const OVERHEAD: usize = 430;
/// The most loads that are known to be under way. One whose caller went away is never ended; the oldest are forgotten,
/// which costs no more than a fill.
const MAX_LOADS: usize = 10_000;

#[derive(Clone)]
struct Kept {
    entry: Entry,
    ttl: Duration,
}

struct OwnTtl;

impl Expiry<String, Kept> for OwnTtl {
    fn expire_after_create(&self, _key: &String, kept: &Kept, _at: Instant) -> Option<Duration> {
        Some(kept.ttl)
    }

    fn expire_after_update(
        &self,
        _key: &String,
        kept: &Kept,
        _at: Instant,
        _left: Option<Duration>,
    ) -> Option<Duration> {
        Some(kept.ttl)
    }
}

#[derive(Default)]
struct Loads {
    last: u64,
    by_token: HashMap<u64, String>,
    by_key: HashMap<String, Vec<u64>>,
}

impl Loads {
    fn begin(&mut self, key: &str) -> u64 {
        if self.by_token.len() >= MAX_LOADS {
            self.by_token.clear();
            self.by_key.clear();
        }
        self.last += 1;
        self.by_token.insert(self.last, key.to_owned());
        self.by_key.entry(key.to_owned()).or_default().push(self.last);
        self.last
    }

    /// Ends a load; `false` if it was invalidated since it began.
    fn end(&mut self, key: &str, token: u64) -> bool {
        let stands = self.by_token.remove(&token).is_some();
        if let Some(tokens) = self.by_key.get_mut(key) {
            tokens.retain(|one| *one != token);
            if tokens.is_empty() {
                self.by_key.remove(key);
            }
        }
        stands
    }

    fn invalidate(&mut self, key: &str) {
        for token in self.by_key.remove(key).unwrap_or_default() {
            self.by_token.remove(&token);
        }
    }
}

/// The cache in this process, bounded by size.
pub struct MemoryCache {
    kept: Cache<String, Kept>,
    loads: Mutex<Loads>,
}

impl Default for MemoryCache {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryCache {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let size = |key: &String, kept: &Kept| {
            let bytes = OVERHEAD + key.len() + kept.entry.as_ref().map_or(0, bytes::Bytes::len);
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let kept = Cache::builder().max_capacity(CAPACITY).weigher(size).expire_after(OwnTtl).build();
        Self { kept, loads: Mutex::default() }
    }

    fn loads(&self) -> std::sync::MutexGuard<'_, Loads> {
        self.loads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl CacheBackend for MemoryCache {
    async fn get(&self, key: &str) -> Result<Option<Entry>, BoxError> {
        Ok(self.kept.get(key).map(|kept| kept.entry))
    }

    async fn begin_fill(&self, key: &str) -> Result<FillToken, BoxError> {
        Ok(FillToken(self.loads().begin(key)))
    }

    async fn fill(&self, key: &str, token: FillToken, entry: Entry, ttl: Duration) -> Result<bool, BoxError> {
        // Held over the insertion, so that no invalidation comes between the two.
        let mut loads = self.loads();
        let stands = loads.end(key, token.0);
        if stands && !ttl.is_zero() {
            self.kept.insert(key.to_owned(), Kept { entry, ttl });
        }
        Ok(stands)
    }

    async fn invalidate(&self, keys: &[String]) -> Result<(), BoxError> {
        let mut loads = self.loads();
        for key in keys {
            loads.invalidate(key);
            self.kept.invalidate(key);
        }
        Ok(())
    }

    async fn ping(&self) -> Result<(), BoxError> {
        Ok(())
    }

    fn system(&self) -> &'static str {
        "memory"
    }
}
