//! Event bus: durable topic exchanges and a queue per consumer.
//!
//! `publish` returns once a message is durable. A message is delivered until it is settled. Its own attempt count,
//! which only failures of the message itself increase, decides when it is dead-lettered.

use std::sync::Arc;

use contracts::topology::{EXCHANGES, QUEUES};
use contracts::{EventId, EventType};
use prometheus::IntCounterVec;

use crate::telemetry::clock::SharedClock;
use crate::telemetry::metrics::Metrics;

#[cfg(feature = "amqp")]
mod amqp;
mod backend;
mod delivery;
mod message;
#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(feature = "amqp")]
pub use crate::config::urls::AmqpUrl;
pub use crate::config::urls::BusUrl;
#[cfg(feature = "amqp")]
pub use amqp::AmqpBus;
pub use backend::{BusBackend, Subscription};
pub use delivery::{Acknowledger, Delivery};
pub use message::{BusError, DeadLetter, Message};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteBus;

/// Event bus of the fleet. Clones share it.
#[derive(Clone)]
pub struct Bus {
    backend: Arc<dyn BusBackend>,
    metrics: Metrics,
    published: IntCounterVec,
    service: &'static str,
}

impl Bus {
    /// Opens the bus at this address and declares the topology of the fleet.
    ///
    /// # Errors
    /// The bus cannot be opened.
    pub async fn connect(url: &BusUrl, metrics: &Metrics, clock: SharedClock) -> Result<Self, BusError> {
        let backend: Arc<dyn BusBackend> = match url {
            #[cfg(feature = "sqlite")]
            BusUrl::Sqlite(path) => SqliteBus::shared(path, clock).await?,
            #[cfg(feature = "amqp")]
            BusUrl::Amqp(url) => Arc::new(AmqpBus::new(url.clone(), clock)),
        };
        Self::new(backend, metrics).await
    }

    /// Creates a bus over an adapter and declares the topology of the fleet.
    ///
    /// # Errors
    /// The topology cannot be declared.
    pub async fn new(backend: Arc<dyn BusBackend>, metrics: &Metrics) -> Result<Self, BusError> {
        backend.declare(EXCHANGES, QUEUES).await?;
        let help = "Published messages by event type and outcome.";
        let published = metrics.counter_vec("messaging_published_total", help, &["event_type", "outcome"]);
        Ok(Self { backend, metrics: metrics.clone(), published, service: "" })
    }

    /// Wraps the adapter in a decorator.
    #[must_use]
    pub(crate) fn decorated(mut self, decorate: impl FnOnce(Arc<dyn BusBackend>) -> Arc<dyn BusBackend>) -> Self {
        self.backend = decorate(self.backend);
        self
    }

    /// Returns the bus for a service: its spans carry the service's name, and its metrics exist from the start.
    #[must_use]
    pub(crate) fn for_service(mut self, service: &'static str) -> Self {
        self.service = service;
        let publishes =
            |kind: &&EventType| kind.exchange().trim_end_matches(".events") == service.trim_end_matches("-service");
        for kind in EventType::ALL.iter().filter(publishes) {
            for outcome in ["ok", "error"] {
                let _ = self.published.with_label_values(&[kind.as_str(), outcome]);
            }
        }
        self
    }

    /// Returns the name of the service that uses the bus.
    pub(crate) const fn service(&self) -> &'static str {
        self.service
    }

    /// Returns the `messaging.system` for spans.
    pub(crate) fn system(&self) -> &'static str {
        self.backend.system()
    }

    /// Returns the metrics of the bus's users.
    pub(crate) const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Publishes messages and returns the outcome of each once it is durable.
    ///
    /// # Errors
    /// The bus is unavailable or rejects the batch. Any of the messages may have been published.
    pub async fn publish(&self, batch: &[Message]) -> Result<Vec<Result<(), BusError>>, BusError> {
        let outcomes = self.backend.publish(batch).await;
        for (index, message) in batch.iter().enumerate() {
            let taken = outcomes.as_ref().is_ok_and(|outcomes| outcomes.get(index).is_some_and(Result::is_ok));
            let outcome = if taken { "ok" } else { "error" };
            self.published.with_label_values(&[message.event_type.as_str(), outcome]).inc();
        }
        outcomes
    }

    /// Subscribes to a queue, with at most `prefetch` unsettled messages at a time.
    ///
    /// # Errors
    /// The bus is unavailable or has no such queue.
    pub async fn subscribe(&self, queue: &str, prefetch: u16) -> Result<Box<dyn Subscription>, BusError> {
        self.backend.subscribe(queue, prefetch).await
    }

    /// Returns at most `limit` dead letters of one queue or all, the oldest of each queue first.
    ///
    /// # Errors
    /// The bus is unavailable or has no such queue.
    pub async fn dead_letters(&self, queue: Option<&str>, limit: u32) -> Result<Vec<DeadLetter>, BusError> {
        self.backend.dead_letters(queue, limit).await
    }

    /// Moves a dead letter back to its queue with a new attempt count; returns `false` if there is none.
    ///
    /// # Errors
    /// The bus is unavailable or has no such queue.
    pub async fn redrive(&self, queue: &str, id: EventId) -> Result<bool, BusError> {
        self.backend.redrive(queue, id).await
    }

    /// Returns the number of dead letters of a queue.
    ///
    /// # Errors
    /// If the bus is unavailable or has no such queue.
    pub(crate) async fn count_dead_letters(&self, queue: &str) -> Result<u64, BusError> {
        self.backend.count_dead_letters(queue).await
    }

    /// Deletes a dead letter; returns `false` if there is none.
    ///
    /// # Errors
    /// The bus is unavailable or has no such queue.
    pub async fn delete_dead_letter(&self, queue: &str, id: EventId) -> Result<bool, BusError> {
        self.backend.delete_dead_letter(queue, id).await
    }

    /// Checks that the bus is available.
    ///
    /// # Errors
    /// The bus is unavailable.
    pub async fn ping(&self) -> Result<(), BusError> {
        self.backend.ping().await
    }
}
