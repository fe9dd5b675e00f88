//! One process at a time opens the file.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::database::private_files as private;

/// How long others may take to open it.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is tried meanwhile.
const TRY: Duration = Duration::from_millis(5);

/// Waits until no other process opens this bus; none does while the answer lives.
///
/// SQLite's own locks do not do: a new file's change to WAL fails at once if another makes it at the same time, and the
/// owner files are no part of the database.
pub(super) async fn alone(bus: &Path) -> io::Result<File> {
    private::database(bus)?;
    let lock = private::open_file(&bus.with_extension("opening"))?;
    let begun = Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => tokio::time::sleep(TRY).await,
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "another process does not finish opening the bus"));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}
