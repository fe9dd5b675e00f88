//! Address of the account store.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use common::config::sqlite_path;

use super::MongoUrl;

/// Address of the account store. Displayed without a password.
#[derive(Clone, Debug)]
pub enum DatabaseUrl {
    /// `sqlite://<file>`: a file, created if it does not exist.
    Sqlite(PathBuf),
    /// `mongodb://<user>:<password>@<host>:<port>/<database>`.
    MongoDb(MongoUrl),
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::MongoDb(url) => url.fmt(f),
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once("://") {
            Some(("mongodb" | "mongodb+srv", _)) => text.parse().map(Self::MongoDb),
            Some((scheme, _)) if scheme != "sqlite" => {
                Err(format!("`{scheme}://` is not supported by this service; use mongodb://… or sqlite://<file>"))
            }
            _ => sqlite_path(text).map(Self::Sqlite),
        }
    }
}
