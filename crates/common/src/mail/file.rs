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
    /// Creates the folder if it does not exist.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        private_files::directory(folder)?;
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
