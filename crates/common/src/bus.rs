//! The bus port: durable topic exchanges and a queue per consumer.
//!
//! `publish` answers once a message is durable. A message is delivered until it is settled; what decides about giving
//! up is the message's own count, which rises only by a fault of the message.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use contracts::topology::{EXCHANGES, QUEUES, Queue, has_consumer};
use contracts::{Envelope, EventId, EventType};
use prometheus::IntCounterVec;

use crate::BoxError;
use crate::clock::SharedClock;
use crate::faults::{Faults, FaultyBus};
use crate::metrics::Metrics;
use crate::worker::Worker;

mod amqp;
mod dead_letters;
mod sqlite;
mod url;

pub use amqp::AmqpBus;
pub use sqlite::SqliteBus;
pub use url::{AmqpUrl, BusUrl};

use dead_letters::DeadLetterCount;

/// Why the bus did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// It does not answer.
    #[error("the bus is unavailable")]
    Unavailable(#[source] BoxError),
    /// No queue takes the message, though it must have a consumer.
    #[error("no queue takes `{event_type}` of `{exchange}`")]
    Unroutable {
        /// Where it was published.
        exchange: String,
        /// Its routing key.
        event_type: String,
    },
    /// It refuses a message for what it is, and with it the whole batch: another batch may well be taken.
    #[error("the bus rejects a message")]
    Rejected(#[source] BoxError),
    /// There is no such queue.
    #[error("there is no queue `{0}`")]
    UnknownQueue(String),
    /// What it holds cannot be read.
    #[error("the bus holds what cannot be read: {0}")]
    Corrupt(String),
}

/// A message as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The event's id.
    pub id: EventId,
    /// The routing key.
    pub event_type: String,
    /// Where it is published, such as `order.events`.
    pub exchange: String,
    /// The envelope as JSON.
    pub body: Bytes,
    /// The service that published it.
    pub app_id: String,
    /// When it happened.
    pub timestamp: DateTime<Utc>,
    /// The trace that it belongs to (W3C trace context).
    pub traceparent: Option<String>,
    /// Whether a queue must take it.
    pub mandatory: bool,
}

impl Message {
    /// The message that carries an event of this kind; a queue must take it if a service of the fleet hears the kind.
    ///
    /// # Errors
    /// Never in practice: an envelope is a plain struct.
    pub fn carrying(envelope: &Envelope, kind: EventType, traceparent: Option<String>) -> serde_json::Result<Self> {
        Self::routed(envelope, kind.exchange(), has_consumer(kind), traceparent)
    }

    /// The message that carries an event to this exchange, whatever its kind.
    ///
    /// # Errors
    /// The same.
    pub(crate) fn routed(
        envelope: &Envelope,
        exchange: &str,
        mandatory: bool,
        traceparent: Option<String>,
    ) -> serde_json::Result<Self> {
        Ok(Self {
            id: envelope.id,
            event_type: envelope.event_type.clone(),
            exchange: exchange.to_owned(),
            body: Bytes::from(serde_json::to_vec(envelope)?),
            app_id: envelope.service.clone(),
            timestamp: envelope.timestamp,
            traceparent,
            mandatory,
        })
    }

    /// The envelope.
    ///
    /// # Errors
    /// If the body is none.
    pub fn envelope(&self) -> Result<Envelope, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

/// A message that was given up, with the reason. Queue and event id tell it from all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The queue that it came by.
    pub queue: String,
    /// The message.
    pub message: Message,
    /// Why it was given up.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was given up.
    pub at: DateTime<Utc>,
}

/// Carries messages.
#[async_trait]
pub trait BusBackend: Send + Sync + 'static {
    /// Makes sure that exchanges, queues and bindings exist.
    async fn declare(&self, exchanges: &[&str], queues: &[Queue]) -> Result<(), BusError>;
    /// Publishes; answers for each message once it is durable.
    async fn publish(&self, batch: &[Message]) -> Result<Vec<Result<(), BusError>>, BusError>;
    /// Begins to take messages from a queue, at most `prefetch` at a time that are not settled.
    async fn subscribe(&self, queue: &str, prefetch: u16) -> Result<Box<dyn Subscription>, BusError>;
    /// Messages that were given up, of one queue or of all, the oldest of a queue first, at most `limit`.
    async fn dead_letters(&self, queue: Option<&str>, limit: u32) -> Result<Vec<DeadLetter>, BusError>;
    /// How many messages of this queue were given up and lie there.
    async fn count_dead(&self, queue: &str) -> Result<u64, BusError>;
    /// Puts a message that was given up back into its queue, as if it had never failed; `false` if there is none.
    async fn redrive(&self, queue: &str, id: EventId) -> Result<bool, BusError>;
    /// Removes a message that was given up; `false` if there is none.
    async fn drop_dead(&self, queue: &str, id: EventId) -> Result<bool, BusError>;
    /// Whether it answers.
    async fn ping(&self) -> Result<(), BusError>;
    /// Its kind, as `messaging.system` of OpenTelemetry's conventions has it.
    fn system(&self) -> &'static str;
}

/// A consumer's place at a queue.
#[async_trait]
pub trait Subscription: Send {
    /// Waits for the next message. Nothing is lost if the wait is given up.
    async fn next(&mut self) -> Result<Delivery, BusError>;
    /// Gives back what was taken and not yet handed out.
    async fn close(&mut self) -> Result<(), BusError>;
}

/// How a delivery ends.
#[async_trait]
pub trait Settle: Send + Sync {
    /// Removes the message.
    async fn ack(&self) -> Result<(), BusError>;
    /// Puts it back for later; `counted` if it failed by its own fault.
    async fn put_back(&self, after: Duration, counted: bool) -> Result<(), BusError>;
    /// Moves it to the dead letters.
    async fn bury(&self, reason: &str) -> Result<(), BusError>;
}

/// A message that was taken from a queue, to be settled by one of its methods. One that is dropped unsettled comes
/// again.
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// The queue.
    pub queue: String,
    /// How often it failed before, by its own fault.
    pub attempts: u32,
    settle: Box<dyn Settle>,
}

impl Delivery {
    /// A delivery that `settle` ends.
    #[must_use]
    pub fn new(message: Message, queue: String, attempts: u32, settle: Box<dyn Settle>) -> Self {
        Self { message, queue, attempts, settle }
    }

    /// It was handled: it never comes again.
    ///
    /// # Errors
    /// If the bus does not answer: then it comes again.
    pub async fn ack(self) -> Result<(), BusError> {
        self.settle.ack().await
    }

    /// It failed by its own fault: it comes again after a while, and the failure counts.
    ///
    /// # Errors
    /// If the bus does not answer: then it comes again, uncounted.
    pub async fn retry(self, after: Duration, reason: &str) -> Result<(), BusError> {
        tracing::warn!(queue = self.queue, event_id = %self.message.id, attempts = self.attempts + 1, reason, "a message failed");
        self.settle.put_back(after, true).await
    }

    /// It could not be handled for no fault of its own: it comes again after a while.
    ///
    /// # Errors
    /// If the bus does not answer: then it comes again too.
    pub async fn release(self, after: Duration) -> Result<(), BusError> {
        self.settle.put_back(after, false).await
    }

    /// It is given up: it goes to the dead letters with the reason.
    ///
    /// # Errors
    /// If the bus does not answer: then it comes again.
    pub async fn dead(self, reason: &str) -> Result<(), BusError> {
        tracing::error!(queue = self.queue, event_id = %self.message.id, reason, "a message was given up");
        self.settle.bury(reason).await
    }
}

/// The fleet's bus. Clones share it.
#[derive(Clone)]
pub struct Bus {
    backend: Arc<dyn BusBackend>,
    metrics: Metrics,
    published: IntCounterVec,
    service: &'static str,
}

impl Bus {
    /// Opens the bus that this address names, and declares the whole topology of the fleet.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub async fn connect(url: &BusUrl, metrics: &Metrics, clock: SharedClock) -> Result<Self, BusError> {
        let backend: Arc<dyn BusBackend> = match url {
            BusUrl::Sqlite(path) => SqliteBus::shared(path, clock).await?,
            BusUrl::Amqp(url) => Arc::new(AmqpBus::new(url.clone(), clock)),
        };
        Self::new(backend, metrics).await
    }

    /// Over any adapter; declares the whole topology of the fleet.
    ///
    /// # Errors
    /// If it cannot be declared.
    pub async fn new(backend: Arc<dyn BusBackend>, metrics: &Metrics) -> Result<Self, BusError> {
        backend.declare(EXCHANGES, QUEUES).await?;
        let help = "Messages handed to the bus, by kind and outcome.";
        let published = metrics.counter_vec("messaging_published_total", help, &["event_type", "outcome"]);
        Ok(Self { backend, metrics: metrics.clone(), published, service: "" })
    }

    /// It, under the faults that can be put in.
    pub(crate) fn under(mut self, faults: &Faults) -> Self {
        if faults.can_be_set() {
            self.backend = Arc::new(FaultyBus { inner: self.backend, faults: faults.clone() });
        }
        self
    }

    /// The bus as `service` uses it: its spans say so, and what it publishes is shown from the start.
    #[must_use]
    pub(crate) fn of(mut self, service: &'static str) -> Self {
        self.service = service;
        let own =
            |kind: &&EventType| kind.exchange().trim_end_matches(".events") == service.trim_end_matches("-service");
        for kind in EventType::ALL.iter().filter(own) {
            for outcome in ["ok", "error"] {
                let _ = self.published.with_label_values(&[kind.as_str(), outcome]);
            }
        }
        self
    }

    /// Who uses it.
    pub(crate) const fn service(&self) -> &'static str {
        self.service
    }

    /// Its kind, for spans.
    pub(crate) fn system(&self) -> &'static str {
        self.backend.system()
    }

    /// The worker that counts the messages of these queues that were given up and lie there now.
    #[must_use]
    pub fn dead_letter_count(&self, queues: &'static [Queue]) -> Arc<dyn Worker> {
        Arc::new(DeadLetterCount::new(self.clone(), queues))
    }

    /// Where those that use it count.
    pub(crate) const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Publishes; answers for each message once it is durable.
    ///
    /// # Errors
    /// If the bus does not answer, or rejects the batch for one of its messages: then any of them may have been published
    /// or not.
    pub async fn publish(&self, batch: &[Message]) -> Result<Vec<Result<(), BusError>>, BusError> {
        let outcomes = self.backend.publish(batch).await;
        for (index, message) in batch.iter().enumerate() {
            let taken = outcomes.as_ref().is_ok_and(|outcomes| outcomes.get(index).is_some_and(Result::is_ok));
            let outcome = if taken { "ok" } else { "error" };
            self.published.with_label_values(&[message.event_type.as_str(), outcome]).inc();
        }
        outcomes
    }

    /// Begins to take messages from a queue, at most `prefetch` at a time that are not settled.
    ///
    /// # Errors
    /// If the bus does not answer or has no such queue.
    pub async fn subscribe(&self, queue: &str, prefetch: u16) -> Result<Box<dyn Subscription>, BusError> {
        self.backend.subscribe(queue, prefetch).await
    }

    /// Messages that were given up, of one queue or of all, the oldest of a queue first, at most `limit`.
    ///
    /// # Errors
    /// If the bus does not answer or has no such queue.
    pub async fn dead_letters(&self, queue: Option<&str>, limit: u32) -> Result<Vec<DeadLetter>, BusError> {
        self.backend.dead_letters(queue, limit).await
    }

    /// Puts a message that was given up back into its queue, as if it had never failed; `false` if there is none.
    ///
    /// # Errors
    /// If the bus does not answer or has no such queue.
    pub async fn redrive(&self, queue: &str, id: EventId) -> Result<bool, BusError> {
        self.backend.redrive(queue, id).await
    }

    /// Removes a message that was given up; `false` if there is none.
    ///
    /// # Errors
    /// If the bus does not answer or has no such queue.
    pub async fn drop_dead(&self, queue: &str, id: EventId) -> Result<bool, BusError> {
        self.backend.drop_dead(queue, id).await
    }

    /// Whether the bus answers.
    ///
    /// # Errors
    /// If it does not.
    pub async fn ping(&self) -> Result<(), BusError> {
        self.backend.ping().await
    }
}
