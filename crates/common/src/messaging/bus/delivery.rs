//! Deliveries of messages and how they are settled.

use std::time::Duration;

use async_trait::async_trait;

use super::message::{BusError, Message};

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
