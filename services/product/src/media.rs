//! Files of pictures, in a directory or a bucket.

use std::fmt;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::database::private_files;
use common::database::store::StoreError;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt as _};
use url::Url;

use crate::domain::PictureName;

/// Age after which a partial file belongs to no process any more.
const STALE: Duration = Duration::from_secs(60 * 60);

/// Mode of the files: read and written by their owner alone.
const PRIVATE: u32 = 0o600;

/// Place of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaUrl {
    /// Directory that one instance, or several on one file system, use.
    Directory(PathBuf),
    /// Bucket, and prefix of the names in it.
    Bucket {
        /// Name of the bucket.
        name: String,
        /// Prefix of the names.
        prefix: Path,
    },
}

impl FromStr for MediaUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "must be file:///<directory> or s3://<bucket>/<prefix>";
        let url: Url = text.parse().map_err(|_| FORM)?;
        match (url.scheme(), url.host_str()) {
            ("file", None) if text.starts_with("file:///") => {
                url.to_file_path().map(Self::Directory).map_err(|()| FORM)
            }
            ("s3", Some(name)) if !name.is_empty() => {
                let prefix = Path::from_url_path(url.path()).map_err(|_| FORM)?;
                Ok(Self::Bucket { name: name.to_owned(), prefix })
            }
            _ => Err(FORM),
        }
    }
}

/// Failure of the place of the files.
#[derive(Debug)]
pub(crate) struct MediaError(Error);

impl fmt::Display for MediaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the media store failed")
    }
}

impl std::error::Error for MediaError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

impl From<MediaError> for StoreError {
    fn from(error: MediaError) -> Self {
        Self::Unavailable(error.into())
    }
}

/// Files of pictures, by name. Clones share the connection.
#[derive(Clone)]
pub(crate) struct MediaStore {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    /// Directory whose files are written to disk before they are referenced.
    directory: Option<Arc<LocalFileSystem>>,
}

/// File that is being read.
pub(crate) struct MediaFile {
    /// Size of the file, in bytes.
    pub(crate) size: u64,
    /// Content of the file.
    pub(crate) content: BoxStream<'static, Result<Bytes, MediaError>>,
}

impl MediaStore {
    /// Opens the place of the files. A directory is created, and restricted to its owner with its files.
    ///
    /// # Errors
    /// If the directory cannot be created, or the settings of the bucket are incomplete.
    pub(crate) fn open(url: &MediaUrl) -> Result<Self, Error> {
        match url {
            MediaUrl::Directory(directory) => {
                let failed = |source: std::io::Error| Error::Generic { store: "directory", source: source.into() };
                private_files::directory(directory).map_err(failed)?;
                prepare_files(directory).map_err(failed)?;
                let files = Arc::new(LocalFileSystem::new_with_prefix(directory)?);
                Ok(Self { store: files.clone(), prefix: Path::default(), directory: Some(files) })
            }
            // Region, endpoint and credentials come from the environment, as AWS's own clients read them.
            #[cfg(feature = "s3")]
            MediaUrl::Bucket { name, prefix } => {
                let bucket = object_store::aws::AmazonS3Builder::from_env().with_bucket_name(name).build()?;
                Ok(Self { store: Arc::new(bucket), prefix: prefix.clone(), directory: None })
            }
            #[cfg(not(feature = "s3"))]
            MediaUrl::Bucket { .. } => {
                Err(Error::NotSupported { source: "this program was built without the feature s3".into() })
            }
        }
    }

    /// Stores a file. It appears whole or not at all.
    pub(crate) async fn put(&self, name: &PictureName, content: Bytes) -> Result<(), MediaError> {
        let path = self.path(name);
        self.store.put(&path, content.into()).await.map_err(MediaError)?;
        let Some(files) = &self.directory else { return Ok(()) };
        let file = files.path_to_filesystem(&path).map_err(MediaError)?;
        let synced = async {
            let stored = tokio::fs::File::open(&file).await?;
            stored.set_permissions(Permissions::from_mode(PRIVATE)).await?;
            stored.sync_all().await?;
            match file.parent() {
                Some(directory) => tokio::fs::File::open(directory).await?.sync_all().await,
                None => Ok(()),
            }
        };
        let failed = |source: std::io::Error| MediaError(Error::Generic { store: "directory", source: source.into() });
        synced.await.map_err(failed)
    }

    /// Returns true if there is such a file.
    pub(crate) async fn contains(&self, name: &PictureName) -> Result<bool, MediaError> {
        let found = self.store.head(&self.path(name)).await.map(drop);
        Ok(absent_as_none(found)?.is_some())
    }

    /// Opens a file; returns `None` if there is no such file.
    pub(crate) async fn open_file(&self, name: &PictureName) -> Result<Option<MediaFile>, MediaError> {
        let found = absent_as_none(self.store.get(&self.path(name)).await)?;
        let file = |found: object_store::GetResult| {
            let size = found.meta.size;
            MediaFile { size, content: found.into_stream().map_err(MediaError).boxed() }
        };
        Ok(found.map(file))
    }

    /// Deletes a file, if there is one.
    pub(crate) async fn delete(&self, name: &PictureName) -> Result<(), MediaError> {
        absent_as_none(self.store.delete(&self.path(name)).await).map(drop)
    }

    fn path(&self, name: &PictureName) -> Path {
        self.prefix.clone().join(name.as_str())
    }
}

/// Removes files that were being stored when a process was killed, which have a number after the name, and restricts all
/// others to their owner.
fn prepare_files(directory: &std::path::Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_file()
            && let Err(error) = std::fs::set_permissions(entry.path(), Permissions::from_mode(PRIVATE))
        {
            tracing::warn!(%error, "file not restricted to its owner");
        }
        let is_partial = entry.file_name().to_string_lossy().contains('#');
        // Another instance may be storing a younger one, or removing the same.
        let modified = entry.metadata().and_then(|metadata| metadata.modified()).ok();
        let is_old = modified.and_then(|modified| modified.elapsed().ok()).is_some_and(|age| age > STALE);
        if is_partial
            && is_old
            && let Err(error) = std::fs::remove_file(entry.path())
        {
            tracing::warn!(%error, "partial file not removed");
        }
    }
    Ok(())
}

fn absent_as_none<T>(found: Result<T, Error>) -> Result<Option<T>, MediaError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(MediaError(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn url_names_a_directory_or_a_bucket() {
        let directory = |path: &str| Ok(MediaUrl::Directory(PathBuf::from(path)));
        assert_eq!("file:///data/media".parse(), directory("/data/media"));
        assert_eq!("file:///my%20data".parse(), directory("/my data"));
        let bucket = |prefix: &str| Ok(MediaUrl::Bucket { name: "shop".to_owned(), prefix: Path::from(prefix) });
        assert_eq!("s3://shop/pictures/new".parse(), bucket("pictures/new"));
        assert_eq!("s3://shop".parse(), bucket(""));
        for invalid in ["", "/data", "file:data", "file://host/data", "s3:///x", "http://host/x"] {
            assert!(invalid.parse::<MediaUrl>().is_err(), "{invalid}");
        }
    }

    #[tokio::test]
    async fn partial_files_of_a_killed_process_are_removed() {
        let directory = tempfile::tempdir().unwrap();
        let name = PictureName::parse(&format!("{}.png", "a".repeat(64))).unwrap();
        let path = |suffix: &str| directory.path().join(format!("{}{suffix}", name.as_str()));
        for suffix in ["", "#1", "#2"] {
            std::fs::write(path(suffix), "content").unwrap();
        }
        let old = SystemTime::now() - 2 * STALE;
        for suffix in ["", "#1"] {
            std::fs::File::options().write(true).open(path(suffix)).unwrap().set_modified(old).unwrap();
        }
        let store = MediaStore::open(&MediaUrl::Directory(directory.path().to_owned())).unwrap();
        assert_eq!(["", "#1", "#2"].map(|suffix| path(suffix).exists()), [true, false, true]);
        assert!(store.contains(&name).await.unwrap());
        store.delete(&name).await.unwrap();
        store.delete(&name).await.unwrap();
        assert!(!store.contains(&name).await.unwrap() && store.open_file(&name).await.unwrap().is_none());
        store.put(&name, Bytes::from_static(b"new")).await.unwrap();
        let file = store.open_file(&name).await.unwrap().unwrap();
        let content: Vec<Bytes> = file.content.try_collect().await.unwrap();
        assert_eq!((file.size, content.concat()), (3, b"new".to_vec()));
    }
}
