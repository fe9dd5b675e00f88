//! Address of the account store.

use std::fmt;
#[cfg(feature = "sqlite")]
use std::path::PathBuf;
use std::str::FromStr;

#[cfg(not(all(feature = "sqlite", feature = "mongodb")))]
use common::config::missing_feature;
#[cfg(feature = "sqlite")]
use common::config::sqlite_path;

#[cfg(feature = "mongodb")]
use super::MongoUrl;

/// Address of the account store. Displayed without a password.
#[derive(Clone, Debug)]
pub enum DatabaseUrl {
    /// `sqlite://<file>`: a file, created if it does not exist.
    #[cfg(feature = "sqlite")]
    Sqlite(PathBuf),
    /// `mongodb://<user>:<password>@<host>:<port>/<database>`.
    #[cfg(feature = "mongodb")]
    MongoDb(MongoUrl),
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            #[cfg(feature = "mongodb")]
            Self::MongoDb(url) => url.fmt(f),
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once("://") {
            #[cfg(feature = "mongodb")]
            Some(("mongodb" | "mongodb+srv", _)) => text.parse().map(Self::MongoDb),
            #[cfg(not(feature = "mongodb"))]
            Some(("mongodb" | "mongodb+srv", _)) => Err(missing_feature("MongoDB", "mongodb")),
            Some((scheme, _)) if scheme != "sqlite" => {
                Err(format!("`{scheme}://` is not supported by this service; use mongodb://… or sqlite://<file>"))
            }
            #[cfg(feature = "sqlite")]
            _ => sqlite_path(text).map(Self::Sqlite),
            #[cfg(not(feature = "sqlite"))]
            _ => Err(missing_feature("SQLite", "sqlite")),
        }
    }
}
