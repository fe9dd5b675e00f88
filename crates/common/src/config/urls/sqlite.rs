//! Addresses of SQLite files.

use std::path::PathBuf;

/// Returns the file of a `sqlite://<file>` address: `sqlite://data/x.db` is relative, `sqlite:///data/x.db` absolute.
///
/// # Errors
/// The scheme is another one, or the address names no file.
pub fn sqlite_path(text: &str) -> Result<PathBuf, String> {
    match text.split_once("://") {
        Some(("sqlite", "")) => Err("the file is missing".to_owned()),
        Some(("sqlite", path)) => Ok(PathBuf::from(path)),
        Some((scheme, _)) => Err(format!("`{scheme}://` is not supported; use sqlite://<file>")),
        None => Err("the scheme is missing; use sqlite://<file>".to_owned()),
    }
}
