//! Who holds a claim: a process, known by a file that it keeps locked for as long as it lives.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use contracts::EventId;

/// This opening of the bus.
pub(super) struct Owner {
    name: String,
    /// What the owner files' names begin with.
    prefix: PathBuf,
    file: PathBuf,
    /// The system frees it when the process ends, however it does.
    _lock: File,
}

impl Owner {
    /// Made by one process at a time, which also looks at the others' files then: nobody sees one that is not locked yet.
    pub(super) fn new(bus: &Path, now: DateTime<Utc>) -> std::io::Result<Self> {
        let prefix = bus.with_extension("owner-");
        let name = EventId::generate(now).to_string();
        let file = path(&prefix, &name);
        let lock = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&file)?;
        lock.try_lock()?;
        Ok(Self { name, prefix, file, _lock: lock })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the process that holds this claim is gone.
    pub(super) fn is_dead(&self, owner: &str) -> bool {
        owner != self.name && is_free(&path(&self.prefix, owner))
    }

    /// Removes the files of processes that are gone.
    pub(super) fn sweep(&self) {
        let prefix = self.prefix.file_name().unwrap_or_default().as_encoded_bytes();
        let Some(Ok(entries)) = self.prefix.parent().map(fs::read_dir) else { return };
        for entry in entries.flatten() {
            let ours = entry.path() == self.file;
            if !ours && entry.file_name().as_encoded_bytes().starts_with(prefix) && is_free(&entry.path()) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

fn path(prefix: &Path, name: &str) -> PathBuf {
    let mut path = prefix.as_os_str().to_owned();
    path.push(name);
    path.into()
}

/// Whether nobody holds this file.
fn is_free(path: &Path) -> bool {
    match File::open(path) {
        Ok(file) => file.try_lock().is_ok(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}
