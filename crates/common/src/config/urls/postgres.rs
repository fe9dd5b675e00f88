//! Address of a PostgreSQL database.

use std::fmt;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

/// Address of a PostgreSQL database: `postgres://<role>:<password>@<host>:<port>/<database>`. It is displayed without
/// its password.
#[derive(Clone)]
pub struct PostgresUrl(pub(crate) Box<PgConnectOptions>);

impl FromStr for PostgresUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The library's message could contain the password.
        let options: PgConnectOptions = text.parse().map_err(|_| "not a valid PostgreSQL URL".to_owned())?;
        if options.get_database().is_none_or(str::is_empty) {
            return Err("the database is missing: postgres://<role>:<password>@<host>:<port>/<database>".to_owned());
        }
        Ok(Self(Box::new(options)))
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(options) = self;
        let database = options.get_database().unwrap_or_default();
        write!(f, "postgres://{}@{}:{}/{database}", options.get_username(), options.get_host(), options.get_port())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_displayed_without_its_password() {
        let url: PostgresUrl = "postgres://orders:hidden@db:5433/orders".parse().unwrap();
        assert_eq!(url.to_string(), "postgres://orders@db:5433/orders");
        assert!(!format!("{url:?}").contains("hidden"));
        for wrong in ["postgres://orders:hidden@db:port/orders", "postgres://orders:hidden@db/"] {
            let error = wrong.parse::<PostgresUrl>().unwrap_err();
            assert!(!error.contains("hidden"), "{error}");
        }
    }
}
