//! Cache decorator that injects faults.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::BoxError;
use crate::cache::{CacheBackend, Entry, FillToken};
use crate::fault::{Fault, Faults};

/// Cache that is unavailable while the fault is active.
pub(crate) struct FaultyCache {
    pub(crate) inner: Arc<dyn CacheBackend>,
    pub(crate) faults: Faults,
}

impl FaultyCache {
    fn there(&self) -> Result<&dyn CacheBackend, BoxError> {
        if self.faults.should_fail(Fault::CacheGone) { Err("injected fault".into()) } else { Ok(&*self.inner) }
    }
}

#[async_trait]
impl CacheBackend for FaultyCache {
    async fn get(&self, key: &str) -> Result<Option<Entry>, BoxError> {
        self.there()?.get(key).await
    }

    async fn begin_fill(&self, key: &str) -> Result<FillToken, BoxError> {
        self.there()?.begin_fill(key).await
    }

    async fn fill(&self, key: &str, token: FillToken, entry: Entry, ttl: Duration) -> Result<bool, BoxError> {
        self.there()?.fill(key, token, entry, ttl).await
    }

    /// Never fails: invalidated values must not be read when the cache is available again.
    async fn invalidate(&self, keys: &[String]) -> Result<(), BoxError> {
        self.inner.invalidate(keys).await
    }

    async fn ping(&self) -> Result<(), BoxError> {
        self.there()?.ping().await
    }

    fn system(&self) -> &'static str {
        self.inner.system()
    }
}
