//! Cache in Redis, shared by all instances of a service.
//!
//! Cost: a call waits at most [`TIMEOUT`], and a miss makes four calls, so an unavailable or slow Redis costs a request
//! 50 ms and never an error. After a timeout the remaining calls fail immediately until the connection has been
//! restored.
//!
//! Consistency: each key has a generation, a random number stored beside its entry. A load carries the generation, and
//! its fill is stored only if the generation has not changed. An invalidation deletes entry and generation in one
//! command, so no load that began before it can fill, in any process. An expired generation costs only a fill.
//!
//! Outages: a failed invalidation is recorded and repeated before this process reads from Redis again. Other processes,
//! and this one if it stops meanwhile, may read stale values for the life of the entry, at most [`MAX_TTL`], since
//! every key has a time to live.

use std::time::Duration;

use async_trait::async_trait;
use bytes::{BufMut, Bytes, BytesMut};
use redis::{Script, cmd};

use super::backend::{CacheBackend, Entry, FillToken};
use crate::BoxError;
use crate::config::urls::RedisUrl;

mod connection;
mod missed_invalidations;

use connection::RedisConnection;
pub use missed_invalidations::MAX_TTL;

/// Maximum time of a call.
pub const TIMEOUT: Duration = Duration::from_millis(12);
/// Life of a key's generation after its last load began; much longer than any request.
const LOAD: Duration = Duration::from_secs(120);

/// First byte of an entry: absence or presence of a value.
const MISSING: u8 = b'0';
const FOUND: u8 = b'1';

/// Returns the generation of a key, creating it if there is none.
const BEGIN: &str = "local mark = redis.call('GET', KEYS[1])
if mark then redis.call('PEXPIRE', KEYS[1], ARGV[2]) return mark end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]";

/// Stores a loaded value if the generation has not changed; a time to live of zero stores nothing.
const FILL: &str = "if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
if ARGV[3] ~= '0' then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1";

/// Redis as a cache.
pub struct RedisCache {
    connection: RedisConnection,
    begin: Script,
    fill: Script,
}

impl RedisCache {
    /// Creates a cache that connects in the background. Until it is connected, every call fails immediately.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    #[must_use]
    pub fn connect(url: &RedisUrl) -> Self {
        Self::with_timeout(url, TIMEOUT)
    }

    /// Creates a cache with another [`TIMEOUT`].
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    #[must_use]
    pub fn with_timeout(url: &RedisUrl, timeout: Duration) -> Self {
        crate::telemetry::install_tls();
        Self { connection: RedisConnection::new(url, timeout), begin: Script::new(BEGIN), fill: Script::new(FILL) }
    }
}

fn generation_key(key: &str) -> String {
    format!("{key}#load")
}

/// Returns the keys of entries and generations, to be deleted together.
fn all_of(keys: &[String]) -> Vec<String> {
    keys.iter().flat_map(|key| [key.clone(), generation_key(key)]).collect()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[async_trait]
impl CacheBackend for RedisCache {
    async fn get(&self, key: &str) -> Result<Option<Entry>, BoxError> {
        let get = |mut to| async move { cmd("GET").arg(key).query_async::<Option<Bytes>>(&mut to).await };
        let Some(mut stored) = self.connection.call(get).await? else { return Ok(None) };
        let first = (!stored.is_empty()).then(|| stored.split_to(1)[0]);
        Ok(match first {
            Some(FOUND) => Some(Some(stored)),
            Some(MISSING) => Some(None),
            _ => None,
        })
    }

    async fn begin_fill(&self, key: &str) -> Result<FillToken, BoxError> {
        let mut begin = self.begin.key(generation_key(key));
        begin.arg(rand::random::<u64>()).arg(millis(LOAD));
        Ok(FillToken(self.connection.call(|mut to| async move { begin.invoke_async(&mut to).await }).await?))
    }

    async fn fill(&self, key: &str, token: FillToken, entry: Entry, ttl: Duration) -> Result<bool, BoxError> {
        let mut written = BytesMut::with_capacity(1 + entry.as_ref().map_or(0, Bytes::len));
        written.put_u8(if entry.is_some() { FOUND } else { MISSING });
        written.extend_from_slice(&entry.unwrap_or_default());
        // A positive time below the smallest unit still stores the entry.
        let ttl = if ttl.is_zero() { 0 } else { millis(ttl.min(MAX_TTL)).max(1) };
        let mut fill = self.fill.key(key);
        fill.key(generation_key(key)).arg(token.0).arg(&*written).arg(ttl);
        Ok(self.connection.call(|mut to| async move { fill.invoke_async(&mut to).await }).await?)
    }

    async fn invalidate(&self, keys: &[String]) -> Result<(), BoxError> {
        Ok(self.connection.delete(all_of(keys)).await?)
    }

    async fn ping(&self) -> Result<(), BoxError> {
        Ok(self.connection.call(|mut to| async move { cmd("PING").exec_async(&mut to).await }).await?)
    }

    fn system(&self) -> &'static str {
        "redis"
    }
}
