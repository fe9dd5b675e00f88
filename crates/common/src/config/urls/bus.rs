//! Address of the bus.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::sqlite::sqlite_path;

/// Address of the bus.
#[derive(Clone, Debug)]
pub enum BusUrl {
    /// `sqlite://<file>`: a file that the processes of one machine share.
    Sqlite(PathBuf),
    /// `amqp://` or, over TLS, `amqps://`: RabbitMQ.
    Amqp(AmqpUrl),
}

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

impl FromStr for BusUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once("://") {
            Some(("amqp" | "amqps", _)) => amqp(text).map(Self::Amqp),
            Some(("sqlite", _)) => sqlite_path(text).map(Self::Sqlite),
            Some((scheme, _)) => Err(format!("`{scheme}://` is not a bus; use amqp://… or sqlite://<file>")),
            None => Err("the scheme is missing; use amqp://… or sqlite://<file>".to_owned()),
        }
    }
}

fn amqp(text: &str) -> Result<AmqpUrl, String> {
    // The library's message could contain the password.
    let url: Url = text.parse().map_err(|_| "not a valid AMQP URL".to_owned())?;
    let host =
        url.host_str().filter(|host| !host.is_empty()).ok_or("the host is missing: amqp://<user>:<password>@<host>")?;
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let shown = format!("{}://{}@{host}{port}{}", url.scheme(), url.username(), url.path());
    Ok(AmqpUrl { whole: text.to_owned().into(), shown })
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

impl fmt::Display for BusUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Amqp(url) => url.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_displayed_without_its_password() {
        let url: BusUrl = "amqp://shop:hidden@rabbit:5673/%2f".parse().unwrap();
        assert_eq!(url.to_string(), "amqp://shop@rabbit:5673/%2f");
        assert!(!format!("{url:?}").contains("hidden"));
        for wrong in ["amqp://", "redis://x", "bus.db", "amqp://shop:hidden@rabbit:port"] {
            let error = wrong.parse::<BusUrl>().unwrap_err();
            assert!(!error.contains("hidden"), "{error}");
        }
    }
}
