//! Probe of a SQLite file's writer.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::SqlitePool;
use tokio::sync::Mutex;

use super::store::StoreError;

/// Table that the probe writes.
pub(crate) const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS writer_probe (id INTEGER PRIMARY KEY, probed_at INTEGER NOT NULL);";
const WRITE: &str = "INSERT INTO writer_probe (id, probed_at) VALUES (1, unixepoch())
     ON CONFLICT (id) DO UPDATE SET probed_at = excluded.probed_at";
/// Time for which a success is reused, so that further probes cost no write.
const FRESH: Duration = Duration::from_secs(1);
/// Bytes that must be free. The probe itself can fit into a log that has room left, a transaction cannot.
const LEAST_FREE: u64 = 256 * 1024;

/// Probe of the writer of a file.
#[derive(Debug)]
pub(crate) struct WriterProbe {
    directory: PathBuf,
    succeeded: Mutex<Option<Instant>>,
}

impl WriterProbe {
    pub(crate) fn new(file: &Path) -> Self {
        let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
        Self { directory: parent.unwrap_or(Path::new(".")).to_owned(), succeeded: Mutex::default() }
    }

    /// Writes a row and commits it.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`] if there is no room; any other if the file cannot be written. The connection is replaced
    /// then.
    pub(crate) async fn run(&self, write: &SqlitePool) -> Result<(), StoreError> {
        let mut succeeded = self.succeeded.lock().await;
        if succeeded.is_some_and(|at| at.elapsed() < FRESH) {
            return Ok(());
        }
        *succeeded = None;
        let free = self.free_bytes().map_err(|error| StoreError::Unavailable(error.into()))?;
        if free < LEAST_FREE {
            let text = format!("{free} bytes are free on the disk of {}", self.directory.display());
            return Err(StoreError::DiskFull(text.into()));
        }
        let mut connection = write.acquire().await?;
        if let Err(error) = sqlx::query(WRITE).execute(&mut *connection).await {
            // The result of closing a broken connection does not matter.
            let _ = connection.close().await;
            return Err(error.into());
        }
        *succeeded = Some(Instant::now());
        Ok(())
    }

    /// Bytes that are free on the disk for processes without privileges.
    fn free_bytes(&self) -> std::io::Result<u64> {
        let disk = rustix::fs::statvfs(&self.directory)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}
