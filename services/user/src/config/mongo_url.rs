//! Address of a MongoDB database.

use std::fmt;
use std::str::FromStr;

use mongodb::options::{ConnectionString, HostInfo};

/// Address of a MongoDB database: `mongodb://<user>:<password>@<host>:<port>/<database>`, with several hosts for a
/// replica set. Displayed without user, password and options.
#[derive(Clone)]
pub struct MongoUrl {
    pub(crate) connection: Box<ConnectionString>,
    pub(crate) database: String,
}

impl FromStr for MongoUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("mongodb+srv:") {
            return Err(
                "`mongodb+srv://` is not supported; name the hosts: mongodb://<host>:<port>/<database>".to_owned()
            );
        }
        // The library's message may contain the password.
        let connection = ConnectionString::parse(text).map_err(|_| "not a valid MongoDB address".to_owned())?;
        let database = connection.default_database.clone().filter(|name| !name.is_empty());
        let database =
            database.ok_or("the database name is missing: mongodb://<user>:<password>@<host>:<port>/<database>")?;
        Ok(Self { connection: Box::new(connection), database })
    }
}

impl fmt::Display for MongoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = match &self.connection.host_info {
            HostInfo::HostIdentifiers(hosts) => hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
            other => format!("{other:?}"),
        };
        write!(f, "mongodb://{hosts}/{}", self.database)
    }
}

impl fmt::Debug for MongoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MongoUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_displayed_without_secrets() {
        let url: MongoUrl = "mongodb://users:hidden@one:27018,two/users?authSource=admin".parse().unwrap();
        assert_eq!(url.to_string(), "mongodb://one:27018,two:27017/users");
        assert_eq!(format!("{url:?}"), "MongoUrl(mongodb://one:27018,two:27017/users)");
    }

    #[test]
    fn invalid_address_is_reported_without_secrets() {
        for (invalid, reported) in [
            ("mongodb://users:hidden@db:27017", "database name is missing"),
            ("mongodb://users:hidden@db:27017/?authSource=admin", "database name is missing"),
            ("mongodb+srv://users:hidden@db/users", "is not supported"),
            ("mongodb://users:hidden@db:port/users", "not a valid MongoDB address"),
        ] {
            let error = invalid.parse::<MongoUrl>().unwrap_err();
            assert!(error.contains(reported) && !error.contains("hidden"), "{error}");
        }
    }
}
