//! Transport into a folder, with a file for each mail.

use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::message::Message;
use super::transport::{MailTransport, SendError};
use crate::database::private_files;

/// Transport that writes `<id>.eml` atomically; a mail that is sent again replaces its file.
pub(super) struct FileTransport {
    folder: PathBuf,
}

impl FileTransport {
    /// Creates the folder if it does not exist, and restricts the mails in it to their owner.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        private_files::directory(folder)?;
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "eml") {
                private_files::tighten_existing(&path)?;
            }
        }
        Ok(Self { folder: folder.to_owned() })
    }
}

#[async_trait]
impl MailTransport for FileTransport {
    async fn send(&self, message: &Message) -> Result<(), SendError> {
        let (path, eml) = (self.folder.join(format!("{}.eml", message.id())), message.to_eml());
        let written = tokio::task::spawn_blocking(move || private_files::write(&path, eml.as_bytes())).await;
        written
            .map_err(|error| SendError::Unavailable(error.into()))?
            .map_err(|error| SendError::Unavailable(error.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn mails_of_an_earlier_start_become_private() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("mail");
        fs::create_dir(&folder).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let [mail, other] = ["1.eml", "notes.txt"].map(|name| folder.join(name));
        for path in [&mail, &other] {
            fs::write(path, "x").unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
        }
        FileTransport::open(&folder).unwrap();
        assert_eq!((mode(&folder), mode(&mail), mode(&other)), (0o700, 0o600, 0o666));
    }
}
