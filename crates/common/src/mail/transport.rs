//! Port of the transports of mails.

use std::sync::Arc;

use async_trait::async_trait;

use super::file::FileTransport;
use super::message::Message;
#[cfg(feature = "smtp")]
use super::smtp::SmtpTransport;
use super::url::MailUrl;
use crate::BoxError;

/// Error of sending. Its text contains no address.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The transport is unavailable or asks for another attempt later.
    #[error("the mail was not sent")]
    Unavailable(#[source] BoxError),
    /// The server rejected the mail or its recipient.
    #[error("the mail was rejected")]
    Rejected(#[source] BoxError),
}

/// Transport of mails.
#[async_trait]
pub trait MailTransport: Send + Sync + 'static {
    /// Sends a mail. It ends in bounded time.
    ///
    /// # Errors
    /// The mail was not sent, or no confirmation arrived.
    async fn send(&self, message: &Message) -> Result<(), SendError>;
}

/// Opens the transport at a URL.
///
/// # Errors
/// The folder cannot be created or the transport cannot be built.
pub(super) fn open(url: &MailUrl) -> Result<Arc<dyn MailTransport>, BoxError> {
    match url {
        MailUrl::Folder(folder) => Ok(Arc::new(FileTransport::open(folder)?)),
        #[cfg(feature = "smtp")]
        MailUrl::Smtp(server) => Ok(Arc::new(SmtpTransport::new(server)?)),
    }
}
