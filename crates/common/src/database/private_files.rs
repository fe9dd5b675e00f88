//! Files and directories that only their owner can access, whatever the umask and the previous modes are.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Mode of a file.
const FILE: u32 = 0o600;
/// Mode of a directory.
const DIRECTORY: u32 = 0o700;
/// Sticky bit of a directory in which every user may create files, such as `/tmp`.
const STICKY: u32 = 0o1000;
/// Subdirectories that a data directory may contain.
const OURS: [&str; 2] = ["mail", "media"];
/// Suffixes of the files that SQLite creates beside a database.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Writes a private file atomically, so a crash leaves no partial content.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = open_file(&new)?;
    file.set_len(0)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

/// Opens a private file for writing, created if it does not exist.
///
/// # Errors
/// The file cannot be opened, or its mode cannot be changed.
pub fn open_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(FILE).open(path)?;
    tighten(path, &file.metadata()?, FILE)?;
    Ok(file)
}

/// Creates a private directory with its parents, and restricts an existing one to its owner.
///
/// # Errors
/// The directory cannot be created, or its mode cannot be changed.
pub fn directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIRECTORY).create(path)?;
    tighten(path, &fs::metadata(path)?, DIRECTORY)
}

/// Prepares a SQLite database: its file, the files beside it, and its directory if that contains only files of a
/// service.
///
/// # Errors
/// The file cannot be written, or a mode cannot be changed.
pub fn database(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    match directory {
        Some(directory) if !directory.exists() || is_data_directory(directory)? => self::directory(directory)?,
        _ => {}
    }
    // SQLite creates the files beside a database with the mode of the database. An existing file is not opened: when a
    // process closes a file, it loses its locks on it, including those of SQLite
    // (https://www.sqlite.org/howtocorrupt.html, 2.2).
    match OpenOptions::new().create_new(true).write(true).mode(FILE).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => tighten_existing(path)?,
    }
    for suffix in BESIDE {
        let mut beside = path.as_os_str().to_owned();
        beside.push(suffix);
        tighten_existing(Path::new(&beside))?;
    }
    Ok(())
}

/// Restricts a data directory and its content to the owner. Links are not followed; programs and unknown directories
/// keep their modes.
///
/// # Errors
/// A mode cannot be changed.
pub fn data_directory(path: &Path) -> io::Result<()> {
    directory(path)?;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        if kind.is_file() {
            let is_program = entry.metadata()?.mode() & 0o111 != 0;
            if !is_program || is_ours(&entry.path()) {
                tighten_existing(&entry.path())?;
            }
        } else if kind.is_dir() && OURS.iter().any(|ours| name == *ours) {
            tree(&entry.path())?;
        }
    }
    Ok(())
}

/// Restricts one of the known subdirectories and its content.
fn tree(path: &Path) -> io::Result<()> {
    directory(path)?;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            tree(&entry.path())?;
        } else if kind.is_file() {
            tighten_existing(&entry.path())?;
        }
    }
    Ok(())
}

/// Returns whether the name of a file is one that the services create.
fn is_ours(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let extension = Path::new(name.as_ref()).extension().unwrap_or_default().to_string_lossy().into_owned();
    name == "lock"
        || name.starts_with("bus.")
        || matches!(extension.as_str(), "db" | "db-wal" | "db-shm" | "db-journal" | "json" | "pem" | "new" | "opening")
}

/// Returns whether an existing directory is a data directory: owned by this user, not sticky, and without unknown
/// subdirectories. `/var/lib` is not one.
fn is_data_directory(path: &Path) -> io::Result<bool> {
    let about = fs::metadata(path)?;
    if about.mode() & STICKY != 0 || about.uid() != rustix::process::geteuid().as_raw() {
        return Ok(false);
    }
    let directories: io::Result<Vec<PathBuf>> = fs::read_dir(path)?
        .filter_map(|entry| match entry.and_then(|entry| Ok((entry.file_type()?, entry.path()))) {
            Ok((kind, path)) => kind.is_dir().then_some(Ok(path)),
            Err(error) => Some(Err(error)),
        })
        .collect();
    Ok(directories?.iter().all(|directory| OURS.iter().any(|ours| directory.ends_with(ours))))
}

/// Restricts a file that may not exist. Links are not followed.
///
/// # Errors
/// The mode cannot be changed.
pub fn tighten_existing(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(about) if about.is_file() => tighten(path, &about, FILE),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes all rights of other users. Files of another owner, such as a volume mounted by a cluster, keep their mode,
/// which is logged.
fn tighten(path: &Path, about: &fs::Metadata, mode: u32) -> io::Result<()> {
    if about.mode() & 0o777 == mode {
        return Ok(());
    }
    match fs::set_permissions(path, fs::Permissions::from_mode(mode)) {
        // SQLite deletes its files when the last connection is closed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            tracing::warn!(path = %path.display(), %error, "mode not changed: owned by another user");
            Ok(())
        }
        changed => changed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    fn loosen(path: &Path) {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }

    #[test]
    fn existing_files_become_private() {
        let directory = tempfile::tempdir().unwrap();
        let (data, mail) = (directory.path().join("data"), directory.path().join("data/mail/new"));
        fs::create_dir_all(&mail).unwrap();
        let files = ["credentials.json", "jwt-key.pem", "users.db", "users.db-wal", "bus.opening", "mail/new/1.eml"];
        for file in files {
            fs::write(data.join(file), "secret").unwrap();
            loosen(&data.join(file));
        }
        loosen(&data);
        loosen(&mail);
        data_directory(&data).unwrap();
        assert_eq!((mode(&data), mode(&mail)), (0o700, 0o700));
        for file in files {
            assert_eq!(mode(&data.join(file)), 0o600, "{file}");
        }
    }

    #[test]
    fn directory_of_another_owner_is_unchanged() {
        let directory = tempfile::tempdir().unwrap();
        let (shared, neighbour) = (directory.path().join("shared"), directory.path().join("shared/neighbour"));
        fs::create_dir_all(&neighbour).unwrap();
        loosen(&shared);
        database(&shared.join("orders.db")).unwrap();
        assert_eq!((mode(&shared), mode(&neighbour) & 0o700), (0o777, 0o700));
        assert_eq!(mode(&shared.join("orders.db")), 0o600);
        fs::remove_dir(&neighbour).unwrap();
        database(&shared.join("orders.db")).unwrap();
        assert_eq!(mode(&shared), 0o700);
    }

    #[test]
    fn link_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (data, elsewhere) = (directory.path().join("data"), directory.path().join("elsewhere"));
        fs::create_dir(&data).unwrap();
        fs::write(&elsewhere, "").unwrap();
        loosen(&elsewhere);
        std::os::unix::fs::symlink(&elsewhere, data.join("link.json")).unwrap();
        data_directory(&data).unwrap();
        assert_eq!(mode(&elsewhere), 0o777);
    }
}
