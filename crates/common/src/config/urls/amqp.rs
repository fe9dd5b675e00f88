//! Address of RabbitMQ.

use std::fmt;
use std::str::FromStr;

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

/// Address of RabbitMQ: `amqp://<user>:<password>@<host>:<port>/<virtual host>`. It is displayed without its password.
#[derive(Clone)]
pub struct AmqpUrl {
    whole: SecretString,
    shown: String,
}

impl AmqpUrl {
    /// Returns the address with its password, for connecting.
    pub(crate) fn whole(&self) -> &str {
        self.whole.expose_secret()
    }
}

impl FromStr for AmqpUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The library's message could contain the password.
        let url: Url = text.parse().map_err(|_| "not a valid AMQP URL".to_owned())?;
        let host = url
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or("the host is missing: amqp://<user>:<password>@<host>")?;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let shown = format!("{}://{}@{host}{port}{}", url.scheme(), url.username(), url.path());
        Ok(Self { whole: text.to_owned().into(), shown })
    }
}

impl fmt::Display for AmqpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for AmqpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AmqpUrl({})", self.shown)
    }
}
