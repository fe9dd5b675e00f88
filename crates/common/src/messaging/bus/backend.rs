//! The bus port.

use async_trait::async_trait;
use contracts::EventId;
use contracts::topology::Queue;

use super::delivery::Delivery;
use super::message::{BusError, DeadLetter, Message};

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
