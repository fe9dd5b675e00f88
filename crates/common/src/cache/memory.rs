//! Cache in the memory of the process.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use moka::Expiry;
use moka::sync::Cache;

use super::backend::{CacheBackend, Entry, FillToken};
use crate::BoxError;

/// Maximum total size in bytes.
const CAPACITY: u64 = 32 * 1024 * 1024;
/// Bytes per entry beside its key and value, measured over 60,000 entries. Without it, a flood of lookups of absent
/// keys, whose entries are all overhead, would exceed [`CAPACITY`] many times.
const OVERHEAD: usize = 430;
/// Maximum number of loads that are tracked. A load whose caller disappeared never ends; the oldest ones are dropped,
/// which costs no more than a fill.
const MAX_LOADS: usize = 10_000;

#[derive(Clone)]
struct CacheEntry {
    entry: Entry,
    ttl: Duration,
}

struct OwnTtl;

impl Expiry<String, CacheEntry> for OwnTtl {
    fn expire_after_create(&self, _key: &String, stored: &CacheEntry, _at: Instant) -> Option<Duration> {
        Some(stored.ttl)
    }

    fn expire_after_update(
        &self,
        _key: &String,
        stored: &CacheEntry,
        _at: Instant,
        _left: Option<Duration>,
    ) -> Option<Duration> {
        Some(stored.ttl)
    }
}

#[derive(Default)]
struct InFlightLoads {
    last: u64,
    by_token: HashMap<u64, String>,
    by_key: HashMap<String, Vec<u64>>,
}

impl InFlightLoads {
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

    /// Ends a load; returns `false` if the key was invalidated after it began.
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

/// Cache in the memory of the process, bounded by size.
pub struct MemoryCache {
    stored: Cache<String, CacheEntry>,
    loads: Mutex<InFlightLoads>,
}

impl Default for MemoryCache {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryCache {
    /// Creates an empty cache.
    #[must_use]
    pub fn new() -> Self {
        let size = |key: &String, stored: &CacheEntry| {
            let bytes = OVERHEAD + key.len() + stored.entry.as_ref().map_or(0, bytes::Bytes::len);
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let stored = Cache::builder().max_capacity(CAPACITY).weigher(size).expire_after(OwnTtl).build();
        Self { stored, loads: Mutex::default() }
    }

    fn loads(&self) -> std::sync::MutexGuard<'_, InFlightLoads> {
        self.loads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl CacheBackend for MemoryCache {
    async fn get(&self, key: &str) -> Result<Option<Entry>, BoxError> {
        Ok(self.stored.get(key).map(|stored| stored.entry))
    }

    async fn begin_fill(&self, key: &str) -> Result<FillToken, BoxError> {
        Ok(FillToken(self.loads().begin(key)))
    }

    async fn fill(&self, key: &str, token: FillToken, entry: Entry, ttl: Duration) -> Result<bool, BoxError> {
        // The lock is held over the insertion, so no invalidation happens in between.
        let mut loads = self.loads();
        let stands = loads.end(key, token.0);
        if stands && !ttl.is_zero() {
            self.stored.insert(key.to_owned(), CacheEntry { entry, ttl });
        }
        Ok(stands)
    }

    async fn invalidate(&self, keys: &[String]) -> Result<(), BoxError> {
        let mut loads = self.loads();
        for key in keys {
            loads.invalidate(key);
            self.stored.invalidate(key);
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
