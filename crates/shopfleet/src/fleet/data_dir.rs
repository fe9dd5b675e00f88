//! Data directory of an embedded fleet: its lock, its files, and the addresses of the running fleet.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use common::auth::keys;
use common::database::private_files as private;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use super::credentials::Credentials;
use crate::CliError;

/// Addresses of a running fleet (`run.json`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunFile {
    /// Process id.
    pub pid: u32,
    /// Address of the gateway.
    pub gateway: String,
    /// Addresses of the services, by name.
    pub services: BTreeMap<String, String>,
    /// Address of the Stripe sandbox.
    pub stripe: String,
    /// Folder of the mails that were sent.
    #[serde(default)]
    pub mail: String,
}

impl RunFile {
    /// Reads the file of a data directory; `None` if no fleet runs there, or it was killed during its start.
    #[must_use]
    pub fn read(data_dir: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(data_dir.join("run.json")).ok()?).ok()
    }
}

/// Data directory locked by this process.
pub struct DataDir {
    path: PathBuf,
    /// Lock file. The system releases the lock even when the process is killed.
    _lock: File,
}

impl DataDir {
    /// Creates the directory unless it exists, makes it private to its owner, and locks it.
    ///
    /// # Errors
    /// If it is not writable, or another process has locked it.
    pub fn open(path: &Path) -> Result<Self, CliError> {
        let unusable = |error: std::io::Error| {
            let path = path.display();
            CliError::new(format!(
                "cannot write to {path}: {error}; fix its permissions or choose another by --data-dir"
            ))
        };
        private::data_directory(path).map_err(unusable)?;
        let path = path.canonicalize().map_err(unusable)?;
        // The services create their own files; the sandbox is unaware of users and modes.
        private::database(&path.join("stripe.db")).map_err(unusable)?;
        let lock = path.join("lock");
        let file = private::open_file(&lock).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path, _lock: file }),
            Err(TryLockError::WouldBlock) => {
                let owner = RunFile::read(&path).map_or(String::new(), |run| format!(" (process {})", run.pid));
                let path = path.display();
                Err(CliError::new(format!(
                    "{path} is in use by another shopfleet{owner}; stop it or choose another by --data-dir"
                )))
            }
            Err(TryLockError::Error(error)) => Err(unusable(error)),
        }
    }

    /// Returns the directory's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of a file in the directory.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Returns the keys and passwords, which the first call generates.
    ///
    /// # Errors
    /// If they can be neither read nor written.
    pub fn credentials(&self) -> Result<Credentials, CliError> {
        let path = self.file("credentials.json");
        if path.exists() {
            return Credentials::read(&self.path);
        }
        let credentials = Credentials::generate();
        let text = serde_json::to_vec_pretty(&credentials)
            .map_err(|error| CliError::context("cannot serialize the credentials", &error))?;
        write_private(&path, &text)?;
        Ok(credentials)
    }

    /// Returns the path of the key that signs tokens, which the first call generates.
    pub(super) fn signing_key(&self) -> Result<PathBuf, CliError> {
        let path = self.file("jwt-key.pem");
        if !path.exists() {
            write_private(&path, keys::generate_pem().expose_secret().as_bytes())?;
        }
        Ok(path)
    }

    /// Publishes the fleet's addresses. The file is written atomically.
    pub(super) fn write_run_file(&self, run: &RunFile) -> Result<(), CliError> {
        let text =
            serde_json::to_vec_pretty(run).map_err(|error| CliError::context("cannot serialize run.json", &error))?;
        write_private(&self.file("run.json"), &text)
    }

    pub(super) fn remove_run_file(&self) {
        if let Err(error) = fs::remove_file(self.file("run.json"))
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "cannot remove run.json");
        }
    }
}

fn write_private(path: &Path, content: &[u8]) -> Result<(), CliError> {
    private::write(path, content).map_err(|error| CliError::context(format!("cannot write {}", path.display()), &error))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn directory_is_locked_by_one_process_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let first = DataDir::open(directory.path()).unwrap();
        let error = DataDir::open(directory.path()).err().unwrap().to_string();
        assert!(error.contains("in use by another shopfleet"), "{error}");
        drop(first);
        DataDir::open(directory.path()).unwrap();
    }

    #[test]
    fn credentials_are_generated_once_and_private_to_their_owner() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(directory.path()).unwrap();
        let generated = data_dir.credentials().unwrap();
        let mode = fs::metadata(data_dir.file("credentials.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = data_dir.credentials().unwrap();
        assert_eq!(generated.admin.password, again.admin.password);
        assert_ne!(generated.admin.password, Credentials::generate().admin.password);
    }

    #[test]
    fn error_of_an_unwritable_directory_names_the_option() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = DataDir::open(&file.path().join("data")).err().unwrap().to_string();
        assert!(error.contains("--data-dir") && !error.contains('\n'), "{error}");
    }
}
