//! Transport by SMTP.

use std::time::Duration;

use async_trait::async_trait;
use lettre::address::Envelope;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use secrecy::ExposeSecret as _;

use super::address::Mailbox;
use super::message::Message;
use super::transport::{MailTransport, SendError};
use super::url::SmtpServer;
use crate::BoxError;

/// Timeout of one command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
/// Timeout of one mail: far less than the lease of a mail.
const TIMEOUT: Duration = Duration::from_secs(25);

/// Transport by an SMTP server. Connections are reused.
pub(super) struct SmtpTransport(AsyncSmtpTransport<Tokio1Executor>);

impl SmtpTransport {
    pub(super) fn new(server: &SmtpServer) -> Result<Self, BoxError> {
        let tls = TlsParameters::new(server.host.clone())?;
        let tls = match (server.implicit_tls, server.requires_tls()) {
            (true, _) => Tls::Wrapper(tls),
            (false, true) => Tls::Required(tls),
            (false, false) => Tls::Opportunistic(tls),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&server.host)
            .port(server.port)
            .tls(tls)
            .timeout(Some(COMMAND_TIMEOUT));
        if let Some((user, password)) = &server.credentials {
            builder = builder.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
        }
        Ok(Self(builder.build()))
    }
}

#[async_trait]
impl MailTransport for SmtpTransport {
    async fn send(&self, message: &Message) -> Result<(), SendError> {
        let envelope = envelope(message).map_err(SendError::Rejected)?;
        let eml = message.to_eml();
        match tokio::time::timeout(TIMEOUT, self.0.send_raw(&envelope, eml.as_bytes())).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(map_error(error)),
            Err(timed_out) => Err(SendError::Unavailable(timed_out.into())),
        }
    }
}

fn envelope(message: &Message) -> Result<Envelope, BoxError> {
    let address = |mailbox: &Mailbox| Address::new(mailbox.local(), mailbox.domain());
    Ok(Envelope::new(Some(address(message.from())?), vec![address(message.to())?])?)
}

/// Maps an error of the client. The text of a server's response may contain the recipient, so only its code is shown.
fn map_error(error: lettre::transport::smtp::Error) -> SendError {
    let is_permanent = error.is_permanent();
    match error.status() {
        Some(code) if is_permanent => SendError::Rejected(format!("response {code}").into()),
        Some(code) => SendError::Unavailable(format!("response {code}").into()),
        None => SendError::Unavailable(error.into()),
    }
}
