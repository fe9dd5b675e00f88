//! Owner of claims: a process, represented by a file that it locks for its lifetime.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use contracts::ids::uuid_v7;

/// Owner file of this opening of the bus.
pub(super) struct ProcessLock {
    name: String,
    /// Prefix of the owner files' names.
    prefix: PathBuf,
    file: PathBuf,
    /// Lock that the system releases when the process ends.
    _lock: File,
}

impl ProcessLock {
    /// Creates the owner file. Callers hold the open lock, so no process sees an owner file that is not locked yet.
    pub(super) fn new(bus: &Path, now: DateTime<Utc>) -> std::io::Result<Self> {
        let prefix = bus.with_extension("owner-");
        let name = uuid_v7(now).to_string();
        let file = path(&prefix, &name);
        let lock = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&file)?;
        lock.try_lock()?;
        Ok(Self { name, prefix, file, _lock: lock })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns whether the process that owns a claim has ended.
    pub(super) fn has_exited(&self, owner: &str) -> bool {
        owner != self.name && is_unlocked(&path(&self.prefix, owner))
    }

    /// Removes the owner files of ended processes.
    pub(super) fn remove_stale(&self) {
        let prefix = self.prefix.file_name().unwrap_or_default().as_encoded_bytes();
        let Some(Ok(entries)) = self.prefix.parent().map(fs::read_dir) else { return };
        for entry in entries.flatten() {
            let ours = entry.path() == self.file;
            if !ours && entry.file_name().as_encoded_bytes().starts_with(prefix) && is_unlocked(&entry.path()) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

impl Drop for ProcessLock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

fn path(prefix: &Path, name: &str) -> PathBuf {
    let mut path = prefix.as_os_str().to_owned();
    path.push(name);
    path.into()
}

/// Returns whether no process holds this file.
fn is_unlocked(path: &Path) -> bool {
    match File::open(path) {
        Ok(file) => file.try_lock().is_ok(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}
