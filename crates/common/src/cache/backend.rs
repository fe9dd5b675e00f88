//! The cache port.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::BoxError;

/// Cached result of a load: the value, or its absence.
pub type Entry = Option<Bytes>;

/// Token of a load in progress, returned with its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FillToken(pub u64);

/// Port of the cache. Times to live apply in the same way to all methods.
#[async_trait]
pub trait CacheBackend: Send + Sync + 'static {
    /// Returns the entry of a key; `None` if there is none or it has expired.
    async fn get(&self, key: &str) -> Result<Option<Entry>, BoxError>;
    /// Registers a load of a key.
    async fn begin_fill(&self, key: &str) -> Result<FillToken, BoxError>;
    /// Stores the result of a load. Returns `false` if the key was invalidated after the load began.
    async fn fill(&self, key: &str, token: FillToken, entry: Entry, ttl: Duration) -> Result<bool, BoxError>;
    /// Removes entries and invalidates the fills of loads in progress.
    async fn invalidate(&self, keys: &[String]) -> Result<(), BoxError>;
    /// Checks that the cache is available.
    async fn ping(&self) -> Result<(), BoxError>;
    /// Returns the `db.system.name` of OpenTelemetry's conventions.
    fn system(&self) -> &'static str;
}
