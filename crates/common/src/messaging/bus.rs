//! The bus port: durable topic exchanges and a queue per consumer.
//!
//! `publish` answers once a message is durable. A message is delivered until it is settled; what decides about giving
//! up is the message's own count, which rises only by a fault of the message.

use std::sync::Arc;

use contracts::topology::{EXCHANGES, QUEUES};
use contracts::{EventId, EventType};
use prometheus::IntCounterVec;

use crate::telemetry::clock::SharedClock;
use crate::telemetry::metrics::Metrics;

mod amqp;
mod backend;
mod delivery;
mod message;
mod sqlite;

pub use crate::config::urls::{AmqpUrl, BusUrl};
pub use amqp::AmqpBus;
pub use backend::{BusBackend, Subscription};
pub use delivery::{Delivery, Settle};
pub use message::{BusError, DeadLetter, Message};
pub use sqlite::SqliteBus;

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

    /// Wraps the adapter in a decorator.
    #[must_use]
    pub(crate) fn decorated(mut self, decorate: impl FnOnce(Arc<dyn BusBackend>) -> Arc<dyn BusBackend>) -> Self {
        self.backend = decorate(self.backend);
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

    /// Returns the number of dead letters of a queue.
    ///
    /// # Errors
    /// If the bus is unavailable or has no such queue.
    pub(crate) async fn count_dead(&self, queue: &str) -> Result<u64, BusError> {
        self.backend.count_dead(queue).await
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
