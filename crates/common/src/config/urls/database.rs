//! Address of a service's own database.

use std::fmt;
#[cfg(feature = "sqlite")]
use std::path::PathBuf;
use std::str::FromStr;

#[cfg(feature = "postgres")]
use super::postgres::PostgresUrl;
#[cfg(feature = "sqlite")]
use super::sqlite::sqlite_path;

/// Address of a service's own database.
#[derive(Clone, Debug)]
pub enum DatabaseUrl {
    /// `sqlite://<file>`: a file, created if it does not exist.
    #[cfg(feature = "sqlite")]
    Sqlite(PathBuf),
    /// `postgres://<role>:<password>@<host>:<port>/<database>`.
    #[cfg(feature = "postgres")]
    Postgres(PostgresUrl),
}

/// Displays the address without a password.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once("://") {
            #[cfg(feature = "postgres")]
            Some(("postgres" | "postgresql", _)) => text.parse().map(Self::Postgres),
            #[cfg(not(feature = "postgres"))]
            Some(("postgres" | "postgresql", _)) => Err(super::missing_feature("PostgreSQL", "postgres")),
            Some((scheme, _)) if scheme != "sqlite" => {
                Err(format!("`{scheme}://` is not supported; use postgres://… or sqlite://<file>"))
            }
            #[cfg(feature = "sqlite")]
            _ => sqlite_path(text).map(Self::Sqlite),
            #[cfg(not(feature = "sqlite"))]
            _ => Err(super::missing_feature("SQLite", "sqlite")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_address_names_its_file() {
        let shown = |text: &str| text.parse::<DatabaseUrl>().unwrap().to_string();
        assert_eq!(shown("sqlite://a/b.db"), "sqlite://a/b.db");
        assert_eq!(shown("sqlite:///a/b.db"), "sqlite:///a/b.db");
        assert_eq!(shown("postgres://orders:hidden@db/orders"), "postgres://orders@db:5432/orders");
        assert!("mysql://x".parse::<DatabaseUrl>().unwrap_err().contains("postgres://"));
        assert!("orders.db".parse::<DatabaseUrl>().is_err());
    }
}
