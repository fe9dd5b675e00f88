//! Port of the transports of mails.

use async_trait::async_trait;

use super::message::Message;
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
