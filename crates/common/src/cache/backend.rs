//! The cache port.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::BoxError;

/// What is kept under a key: the value, or that there is none.
pub type Entry = Option<Bytes>;

/// A load that began, to be handed back with its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FillToken(pub u64);

/// Keeps entries. Times to live count in every method alike.
#[async_trait]
pub trait CacheBackend: Send + Sync + 'static {
    /// What is kept; `None` if nothing is, or it ran out.
    async fn get(&self, key: &str) -> Result<Option<Entry>, BoxError>;
    /// Notes that a load of this key begins.
    async fn begin_fill(&self, key: &str) -> Result<FillToken, BoxError>;
    /// Keeps what was loaded, unless the key was invalidated since the load began: then it answers `false`.
    async fn fill(&self, key: &str, token: FillToken, entry: Entry, ttl: Duration) -> Result<bool, BoxError>;
    /// Drops what is kept, and the fills of loads that are under way.
    async fn invalidate(&self, keys: &[String]) -> Result<(), BoxError>;
    /// Whether it answers.
    async fn ping(&self) -> Result<(), BoxError>;
    /// Its kind, as `db.system.name` of OpenTelemetry's conventions has it.
    fn system(&self) -> &'static str;
}
