//! The cache in Redis, which all instances of a service share.
//!
//! What it costs: a call waits for [`PATIENCE`] at the most, and a look-up that misses makes four of them, so that a Redis
//! which is away or slow costs a request 50 ms and never an error. Once a call was not answered, the rest fail at once
//! until the connection has been made anew.
//!
//! What is fresh: beside the entry of a key there is a mark for the loads of that key, a number by chance. A load takes it
//! along; its fill is kept only while the mark stands. Invalidating deletes entry and mark in one command, so no load that
//! began before can fill, in whichever process it runs. A mark that has run out only costs a fill.
//!
//! What holds while Redis is away: an invalidation that fails is remembered and repeated before this process reads from
//! Redis again. Other processes, and this one if it dies meanwhile, may read what is stale for as long as the entry
//! lives: [`LONGEST`] at the most, since every key has a time to live.

use std::time::Duration;

use async_trait::async_trait;
use bytes::{BufMut, Bytes, BytesMut};
use redis::{Script, cmd};

use super::backend::{CacheBackend, Entry, FillToken};
use crate::BoxError;
use crate::config::urls::RedisUrl;

mod link;
mod missed;

use link::Link;
pub use missed::LONGEST;

/// How long a call waits for its answer.
pub const PATIENCE: Duration = Duration::from_millis(12);
/// How long the mark of a key's loads stands after the last of them began: much longer than any request may take.
const LOAD: Duration = Duration::from_secs(120);

/// The first byte of an entry: whether there is a value.
const MISSING: u8 = b'0';
const FOUND: u8 = b'1';

/// The mark of a key's loads; made from this one's number if there is none.
const BEGIN: &str = "local mark = redis.call('GET', KEYS[1])
if mark then redis.call('PEXPIRE', KEYS[1], ARGV[2]) return mark end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]";

/// Keeps what was loaded if the mark still stands; no time to live keeps nothing.
const FILL: &str = "if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
if ARGV[3] ~= '0' then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1";

/// A Redis as cache.
pub struct RedisCache {
    link: Link,
    begin: Script,
    fill: Script,
}

impl RedisCache {
    /// Begins to connect, and goes on trying for as long as it lives; until then every call fails at once.
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    #[must_use]
    pub fn connect(url: &RedisUrl) -> Self {
        Self::with_patience(url, PATIENCE)
    }

    /// The same with another [`PATIENCE`].
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    #[must_use]
    pub fn with_patience(url: &RedisUrl, patience: Duration) -> Self {
        crate::telemetry::install_tls();
        Self { link: Link::new(url, patience), begin: Script::new(BEGIN), fill: Script::new(FILL) }
    }
}

fn mark_of(key: &str) -> String {
    format!("{key}#load")
}

/// Entries and marks of these keys, to be deleted together.
fn all_of(keys: &[String]) -> Vec<String> {
    keys.iter().flat_map(|key| [key.clone(), mark_of(key)]).collect()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[async_trait]
impl CacheBackend for RedisCache {
    async fn get(&self, key: &str) -> Result<Option<Entry>, BoxError> {
        let get = |mut to| async move { cmd("GET").arg(key).query_async::<Option<Bytes>>(&mut to).await };
        let Some(mut kept) = self.link.call(get).await? else { return Ok(None) };
        let first = (!kept.is_empty()).then(|| kept.split_to(1)[0]);
        Ok(match first {
            Some(FOUND) => Some(Some(kept)),
            Some(MISSING) => Some(None),
            _ => None,
        })
    }

    async fn begin_fill(&self, key: &str) -> Result<FillToken, BoxError> {
        let mut begin = self.begin.key(mark_of(key));
        begin.arg(rand::random::<u64>()).arg(millis(LOAD));
        Ok(FillToken(self.link.call(|mut to| async move { begin.invoke_async(&mut to).await }).await?))
    }

    async fn fill(&self, key: &str, token: FillToken, entry: Entry, ttl: Duration) -> Result<bool, BoxError> {
        let mut written = BytesMut::with_capacity(1 + entry.as_ref().map_or(0, Bytes::len));
        written.put_u8(if entry.is_some() { FOUND } else { MISSING });
        written.extend_from_slice(&entry.unwrap_or_default());
        // Less than the smallest unit is still not nothing.
        let ttl = if ttl.is_zero() { 0 } else { millis(ttl.min(LONGEST)).max(1) };
        let mut fill = self.fill.key(key);
        fill.key(mark_of(key)).arg(token.0).arg(&*written).arg(ttl);
        Ok(self.link.call(|mut to| async move { fill.invoke_async(&mut to).await }).await?)
    }

    async fn invalidate(&self, keys: &[String]) -> Result<(), BoxError> {
        Ok(self.link.delete(all_of(keys)).await?)
    }

    async fn ping(&self) -> Result<(), BoxError> {
        Ok(self.link.call(|mut to| async move { cmd("PING").exec_async(&mut to).await }).await?)
    }

    fn system(&self) -> &'static str {
        "redis"
    }
}
