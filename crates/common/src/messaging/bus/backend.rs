//! Port of the bus.

use async_trait::async_trait;
use contracts::EventId;
use contracts::topology::Queue;

use super::delivery::Delivery;
use super::message::{BusError, DeadLetter, Message};

/// Port of the bus.
#[async_trait]
pub trait BusBackend: Send + Sync + 'static {
    /// Declares exchanges, queues and bindings.
    async fn declare(&self, exchanges: &[&str], queues: &[Queue]) -> Result<(), BusError>;
    /// Publishes messages and returns the outcome of each once it is durable.
    async fn publish(&self, batch: &[Message]) -> Result<Vec<Result<(), BusError>>, BusError>;
    /// Subscribes to a queue, with at most `prefetch` unsettled messages at a time.
    async fn subscribe(&self, queue: &str, prefetch: u16) -> Result<Box<dyn Subscription>, BusError>;
    /// Returns at most `limit` dead letters of one queue or all, the oldest of each queue first.
    async fn dead_letters(&self, queue: Option<&str>, limit: u32) -> Result<Vec<DeadLetter>, BusError>;
    /// Returns the number of dead letters of a queue.
    async fn count_dead_letters(&self, queue: &str) -> Result<u64, BusError>;
    /// Moves a dead letter back to its queue with a new attempt count; returns `false` if there is none.
    async fn redrive(&self, queue: &str, id: EventId) -> Result<bool, BusError>;
    /// Deletes a dead letter; returns `false` if there is none.
    async fn delete_dead_letter(&self, queue: &str, id: EventId) -> Result<bool, BusError>;
    /// Checks that the bus is available.
    async fn ping(&self) -> Result<(), BusError>;
    /// Returns the `messaging.system` of OpenTelemetry's conventions.
    fn system(&self) -> &'static str;
}

/// Subscription to a queue.
#[async_trait]
pub trait Subscription: Send {
    /// Waits for the next message. Cancelling the wait loses nothing.
    async fn next(&mut self) -> Result<Delivery, BusError>;
    /// Returns messages that were received and not dispatched.
    async fn close(&mut self) -> Result<(), BusError>;
}
