//! Address of the cache.

use std::fmt;
use std::str::FromStr;

#[cfg(feature = "redis")]
use super::redis::RedisUrl;

const KNOWN: &str = "use redis://<host>:6379, rediss://<host>:6379 or memory:";

/// Address of the cache.
#[derive(Clone, Debug)]
pub enum CacheUrl {
    /// `memory:`: the memory of the process.
    Memory,
    /// `redis://` or, over TLS, `rediss://`: a server that all instances of the service share.
    #[cfg(feature = "redis")]
    Redis(RedisUrl),
}

impl FromStr for CacheUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("memory", "")) => Ok(Self::Memory),
            #[cfg(feature = "redis")]
            Some(("redis" | "rediss", _)) => text.parse().map(Self::Redis),
            #[cfg(not(feature = "redis"))]
            Some(("redis" | "rediss", _)) => Err(super::missing_feature("Redis", "redis")),
            Some((scheme, _)) => Err(format!("`{scheme}:` is not supported; {KNOWN}")),
            None => Err(format!("the scheme is missing; {KNOWN}")),
        }
    }
}

impl fmt::Display for CacheUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory:"),
            #[cfg(feature = "redis")]
            Self::Redis(url) => url.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_parsed_and_displayed_without_their_password() {
        for (text, shown) in [
            ("memory:", "memory:"),
            ("redis://cache:6379", "redis://cache:6379"),
            ("redis://:hidden@cache:6379/2", "redis://:***@cache:6379/2"),
            ("rediss://orders:hidden@cache", "rediss://orders:***@cache"),
        ] {
            let url: CacheUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url:?}").contains("hidden"), "{url:?}");
        }
    }

    #[test]
    fn invalid_address_is_rejected_without_its_password() {
        for wrong in
            ["cache", "memcached://:hidden@cache", "redis:", "redis://", "redis://:hidden@cache/many", "memory:x"]
        {
            let error = wrong.parse::<CacheUrl>().unwrap_err();
            assert!(!error.contains("hidden"), "{error}");
        }
    }
}
