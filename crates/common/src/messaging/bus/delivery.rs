//! Deliveries of messages and their settlement.

use std::time::Duration;

use async_trait::async_trait;

use super::message::{BusError, Message};

/// Settlement of a delivery.
#[async_trait]
pub trait Acknowledger: Send + Sync {
    /// Removes the message from its queue.
    async fn ack(&self) -> Result<(), BusError>;
    /// Requeues the message with a delay; `counted` increases its attempt count.
    async fn requeue(&self, after: Duration, counted: bool) -> Result<(), BusError>;
    /// Moves the message to the dead letters.
    async fn dead_letter(&self, reason: &str) -> Result<(), BusError>;
}

/// Delivered message, settled by one of its methods. A delivery that is dropped unsettled is delivered again.
pub struct Delivery {
    /// Message.
    pub message: Message,
    /// Queue.
    pub queue: String,
    /// Number of failed attempts.
    pub attempts: u32,
    settle: Box<dyn Acknowledger>,
}

impl Delivery {
    /// Creates a delivery with its settlement.
    #[must_use]
    pub fn new(message: Message, queue: String, attempts: u32, settle: Box<dyn Acknowledger>) -> Self {
        Self { message, queue, attempts, settle }
    }

    /// Acknowledges a handled message.
    ///
    /// # Errors
    /// The bus is unavailable; the message is delivered again.
    pub async fn ack(self) -> Result<(), BusError> {
        self.settle.ack().await
    }

    /// Requeues a failed message with a delay and counts the attempt.
    ///
    /// # Errors
    /// The bus is unavailable; the message is delivered again, uncounted.
    pub async fn retry(self, after: Duration, reason: &str) -> Result<(), BusError> {
        tracing::warn!(queue = self.queue, event_id = %self.message.id, attempts = self.attempts + 1, reason, "message failed");
        self.settle.requeue(after, true).await
    }

    /// Requeues a message with a delay, without counting an attempt.
    ///
    /// # Errors
    /// The bus is unavailable; the message is delivered again.
    pub async fn release(self, after: Duration) -> Result<(), BusError> {
        self.settle.requeue(after, false).await
    }

    /// Moves the message to the dead letters.
    ///
    /// # Errors
    /// The bus is unavailable; the message is delivered again.
    pub async fn dead_letter(self, reason: &str) -> Result<(), BusError> {
        tracing::error!(queue = self.queue, event_id = %self.message.id, reason, "message dead-lettered");
        self.settle.dead_letter(reason).await
    }
}
