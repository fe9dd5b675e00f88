//! Address of the bus.

use std::fmt;
#[cfg(feature = "sqlite")]
use std::path::PathBuf;
use std::str::FromStr;

#[cfg(feature = "amqp")]
use super::amqp::AmqpUrl;
#[cfg(feature = "sqlite")]
use super::sqlite::sqlite_path;

/// Address of the bus.
#[derive(Clone, Debug)]
pub enum BusUrl {
    /// `sqlite://<file>`: a file that the processes of one machine share.
    #[cfg(feature = "sqlite")]
    Sqlite(PathBuf),
    /// `amqp://` or, over TLS, `amqps://`: RabbitMQ.
    #[cfg(feature = "amqp")]
    Amqp(AmqpUrl),
}

impl FromStr for BusUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once("://") {
            #[cfg(feature = "amqp")]
            Some(("amqp" | "amqps", _)) => text.parse().map(Self::Amqp),
            #[cfg(not(feature = "amqp"))]
            Some(("amqp" | "amqps", _)) => Err(super::missing_feature("RabbitMQ", "amqp")),
            #[cfg(feature = "sqlite")]
            Some(("sqlite", _)) => sqlite_path(text).map(Self::Sqlite),
            #[cfg(not(feature = "sqlite"))]
            Some(("sqlite", _)) => Err(super::missing_feature("SQLite", "sqlite")),
            Some((scheme, _)) => Err(format!("`{scheme}://` is not a bus; use amqp://… or sqlite://<file>")),
            None => Err("the scheme is missing; use amqp://… or sqlite://<file>".to_owned()),
        }
    }
}

impl fmt::Display for BusUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            #[cfg(feature = "amqp")]
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
