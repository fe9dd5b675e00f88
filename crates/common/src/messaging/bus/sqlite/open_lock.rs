//! Lock under which one process at a time opens the file.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::database::private_files as private;

/// Maximum time to wait for other processes.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Interval of attempts.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Waits until no other process opens this bus; the returned file holds the lock.
///
/// SQLite's own locks do not suffice: switching a new file to WAL fails immediately if another process does so at the
/// same time, and the owner files are not part of the database.
pub(super) async fn acquire(bus: &Path) -> io::Result<File> {
    private::database(bus)?;
    let lock = private::open_file(&bus.with_extension("opening"))?;
    let begun = Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) if begun.elapsed() < TIMEOUT => tokio::time::sleep(POLL_INTERVAL).await,
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "another process is still opening the bus"));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}
