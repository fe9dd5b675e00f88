//! Address of Redis.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use url::Url;

/// Address and credentials of Redis. It is displayed without its password.
#[derive(Clone)]
pub struct RedisUrl {
    shown: String,
    client: Arc<redis::Client>,
}

impl RedisUrl {
    /// Returns the client that opens connections.
    pub(crate) fn client(&self) -> &redis::Client {
        &self.client
    }
}

impl FromStr for RedisUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut url = Url::parse(text).map_err(|error| error.to_string())?;
        if url.host().is_none() {
            return Err("the host is missing".to_owned());
        }
        let client = redis::Client::open(url.clone()).map_err(|error| error.to_string())?;
        if url.password().is_some() {
            // Fails only for an address without a host, which was rejected above.
            let _hidden = url.set_password(Some("***"));
        }
        Ok(Self { shown: url.into(), client: Arc::new(client) })
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}
