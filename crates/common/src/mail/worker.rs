//! Worker that sends the mails of a queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;

use super::address::Mailbox;
use super::config::MailConfig;
use super::content::MailContent;
use super::file::FileTransport;
use super::message::Message;
use super::metrics::MailMetrics;
#[cfg(feature = "smtp")]
use super::smtp::SmtpTransport;
use super::transport::{MailTransport, SendError};
use super::url::MailUrl;
use crate::BoxError;
use crate::database::mail_queue::{MailQueue, QueuedMail};
use crate::database::store::StoreError;
use crate::fault::failpoint;
use crate::task::backoff::Backoff;
use crate::task::worker::{NextRun, Worker, WorkerError};
use crate::telemetry::clock::SharedClock;
use crate::telemetry::metrics::Metrics;

/// Maximum number of mails that an instance sends at a time.
const BATCH: u32 = 8;
/// Duration of a claim: longer than rendering and sending take, and the delay of a mail whose worker stopped.
const LEASE: Duration = Duration::from_secs(60);
/// Delays before a failed mail is tried again.
const RETRIES: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(3600));
/// Age at which a mail that the server rejects is abandoned (RFC 5321, section 4.5.4.1).
const ABANDON_AFTER: TimeDelta = TimeDelta::days(5);

/// Error of rendering.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// Unknown kind: a newer version, which shares the database, wrote it and sends it.
    #[error("the kind of the mail is unknown")]
    UnknownKind,
    /// Failure of the store or unreadable data.
    #[error("the mail was not rendered")]
    Failed(#[source] BoxError),
}

/// Renderer of a service's kinds of mails.
#[async_trait]
pub trait MailRenderer: Send + Sync + 'static {
    /// Returns the kinds, for the metrics.
    fn kinds(&self) -> &'static [&'static str];

    /// Renders a mail for its recipient as of now; `None` if it is no longer to be sent.
    ///
    /// For a kind with a token it makes a new one, and commits its hash before it returns, which voids the token before.
    ///
    /// # Errors
    /// The mail is tried again later.
    async fn render(&self, mail: &QueuedMail, now: DateTime<Utc>) -> Result<Option<MailContent>, RenderError>;
}

/// State of sending, for health checks: false after a failed attempt, until one succeeds. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct MailStatus(Arc<AtomicBool>);

impl MailStatus {
    /// Checks that the last attempt succeeded.
    ///
    /// # Errors
    /// The last attempt failed; the mails wait.
    pub fn check(&self) -> Result<(), BoxError> {
        if self.0.load(Ordering::Relaxed) { Err("the last mail was not sent; mails wait".into()) } else { Ok(()) }
    }
}

/// Opens the transport at a URL.
///
/// # Errors
/// The folder cannot be created or the transport cannot be built.
fn open(url: &MailUrl) -> Result<Arc<dyn MailTransport>, BoxError> {
    match url {
        MailUrl::Folder(folder) => Ok(Arc::new(FileTransport::open(folder)?)),
        #[cfg(feature = "smtp")]
        MailUrl::Smtp(server) => Ok(Arc::new(SmtpTransport::new(server)?)),
    }
}

/// Worker that claims due mails, renders and sends them, and removes them from the queue.
pub struct MailWorker {
    queue: MailQueue,
    transport: Arc<dyn MailTransport>,
    renderer: Arc<dyn MailRenderer>,
    from: Mailbox,
    clock: SharedClock,
    metrics: MailMetrics,
    status: MailStatus,
}

impl MailWorker {
    /// Creates the worker of a queue with the configured transport.
    ///
    /// # Errors
    /// The transport cannot be opened.
    pub fn open(
        config: &MailConfig,
        queue: MailQueue,
        renderer: Arc<dyn MailRenderer>,
        clock: SharedClock,
        metrics: &Metrics,
    ) -> Result<Self, BoxError> {
        let transport = open(&config.url)?;
        Ok(Self::new(config.from.clone(), transport, queue, renderer, clock, metrics))
    }

    /// Creates the worker of a queue with another transport.
    #[must_use]
    pub fn new(
        from: Mailbox,
        transport: Arc<dyn MailTransport>,
        queue: MailQueue,
        renderer: Arc<dyn MailRenderer>,
        clock: SharedClock,
        metrics: &Metrics,
    ) -> Self {
        let metrics = MailMetrics::new(metrics, renderer.kinds());
        Self { queue, transport, renderer, from, clock, metrics, status: MailStatus::default() }
    }

    /// Returns the state of sending.
    #[must_use]
    pub fn status(&self) -> MailStatus {
        self.status.clone()
    }

    /// Sends a claimed mail, or postpones it after a failure.
    async fn process(&self, mail: &QueuedMail) -> Result<(), StoreError> {
        let store = self.queue.store();
        let content = match self.renderer.render(mail, self.clock.now()).await {
            Ok(Some(content)) => content,
            Ok(None) => return store.remove(mail).await,
            Err(error) => return self.postpone(mail, crate::error_chain(&error)).await,
        };
        let message = Message::new(mail.id, mail.created_at, self.from.clone(), content);
        failpoint::hit("before-send", || mail.kind.clone());
        let sent = self.transport.send(&message).await;
        failpoint::hit("after-send", || mail.kind.clone());
        self.status.0.store(matches!(sent, Err(SendError::Unavailable(_))), Ordering::Relaxed);
        match sent {
            Ok(()) => {
                store.remove(mail).await?;
                failpoint::hit("after-mark", || mail.kind.clone());
                self.metrics.count_sent(&mail.kind);
                Ok(())
            }
            Err(SendError::Rejected(error)) if self.clock.now() - mail.created_at >= ABANDON_AFTER => {
                let error = crate::error_chain(&*error);
                tracing::error!(mail.id = %mail.id, mail.kind, error, "mail abandoned after repeated rejection");
                self.metrics.count_rejected(&mail.kind);
                store.remove(mail).await
            }
            Err(error) => self.postpone(mail, crate::error_chain(&error)).await,
        }
    }

    /// Releases a mail for a later attempt; delays grow with the number of attempts.
    async fn postpone(&self, mail: &QueuedMail, error: String) -> Result<(), StoreError> {
        let attempts = mail.attempts;
        tracing::warn!(mail.id = %mail.id, mail.kind, mail.attempts = attempts, error, "mail not sent; retrying later");
        self.metrics.count_failed(&mail.kind);
        let delay = TimeDelta::from_std(RETRIES.jittered(attempts)).unwrap_or(TimeDelta::MAX);
        self.queue.store().postpone(mail, self.clock.now() + delay).await
    }
}

#[async_trait]
impl Worker for MailWorker {
    fn name(&self) -> &'static str {
        "mail"
    }

    async fn step(&self) -> Result<NextRun, WorkerError> {
        let store = self.queue.store();
        let claimed = store.claim(BATCH, LEASE, self.clock.now()).await?;
        let outcomes = join_all(claimed.iter().map(|mail| self.process(mail))).await;
        self.metrics.report(store.state(self.clock.now()).await?);
        outcomes.into_iter().collect::<Result<(), _>>()?;
        Ok(if claimed.is_empty() { NextRun::OnWake } else { NextRun::Now })
    }
}
