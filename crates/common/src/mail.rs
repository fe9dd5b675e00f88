//! Mails of a service: message, transports, and the worker that sends the mails of the queue.
//!
//! A change writes a mail into the queue ([`Effects::with_mail`](crate::database::Effects::with_mail)) in its own
//! transaction, with a kind, the id of the recipient and data without a token. The [`MailWorker`] claims it under a lease;
//! the service's [`MailRenderer`] makes the token of a link, commits its hash and renders the text. A mail is sent at least
//! once: after a crash between the transport's confirmation and the removal from the queue it is sent again, with the same
//! `Message-ID`, and a new token that voids the one before.
//!
//! ```
//! use common::database::{Effects, NewMail};
//! use contracts::UserId;
//! use serde_json::json;
//!
//! fn shipped(now: chrono::DateTime<chrono::Utc>, customer: UserId) -> Effects {
//!     Effects::none().with_mail(NewMail::new(now, "order_shipped", &customer, json!({"number": "2026-000001"})))
//! }
//! ```

mod address;
mod config;
mod content;
mod file;
mod kinds;
mod message;
mod metrics;
mod mime;
#[cfg(feature = "smtp")]
mod smtp;
mod transport;
mod url;
mod worker;

pub use address::{InvalidAddress, Mailbox};
pub use config::{MailConfig, PublicUrl};
pub use content::{Body, MailContent};
pub use message::Message;
pub use transport::{MailTransport, SendError};
pub use url::MailUrl;
pub use worker::{MailRenderer, MailStatus, MailWorker, RenderError};
