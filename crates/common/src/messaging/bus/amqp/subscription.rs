//! Subscription to a queue of the broker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use lapin::Acker;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicNackOptions};
use lapin::{Channel, Consumer};

use super::broker::Broker;
use super::connection::{AmqpConnection, unavailable};
use super::properties::{self, DeadLetterCopy};
use super::topology::{DEAD_LETTERS, wait_exchange};
use crate::messaging::bus::backend::Subscription;
use crate::messaging::bus::delivery::{Acknowledger, Delivery};
use crate::messaging::bus::message::{BusError, Message};

/// Consumer with its own channel.
pub(super) struct AmqpSubscription {
    broker: Broker,
    /// Keeps the connection open as long as its consumers.
    _connection: Arc<AmqpConnection>,
    channel: Channel,
    consumer: Consumer,
    queue: String,
}

impl AmqpSubscription {
    pub(super) fn new(
        broker: Broker,
        connection: Arc<AmqpConnection>,
        channel: Channel,
        consumer: Consumer,
        queue: &str,
    ) -> Self {
        Self { broker, _connection: connection, channel, consumer, queue: queue.to_owned() }
    }
}

#[async_trait]
impl Subscription for AmqpSubscription {
    async fn next(&mut self) -> Result<Delivery, BusError> {
        let ended = || BusError::Unavailable("the broker cancelled the consumer".into());
        let delivery = self.consumer.next().await.ok_or_else(ended)?.map_err(unavailable)?;
        let (message, attempts) = properties::read(&delivery.properties, delivery.data)?;
        let settle = AmqpSettle {
            broker: self.broker.clone(),
            acker: delivery.acker,
            queue: self.queue.clone(),
            message: message.clone(),
            attempts,
            settled: AtomicBool::new(false),
        };
        Ok(Delivery::new(message, self.queue.clone(), attempts, Box::new(settle)))
    }

    async fn close(&mut self) -> Result<(), BusError> {
        let tag = self.consumer.tag();
        self.channel.basic_cancel(tag, BasicCancelOptions::default()).await.map_err(unavailable)?;
        // Unsettled messages return to the queue with the channel.
        self.channel.close(200, "done".into()).await.map_err(unavailable)
    }
}

impl Drop for AmqpSubscription {
    fn drop(&mut self) {
        if !self.channel.status().connected() {
            return;
        }
        let channel = self.channel.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { channel.close(200, "dropped".into()).await });
        }
    }
}

struct AmqpSettle {
    broker: Broker,
    acker: Acker,
    queue: String,
    message: Message,
    attempts: u32,
    settled: AtomicBool,
}

impl AmqpSettle {
    async fn acknowledge(&self) -> Result<(), BusError> {
        self.settled.store(true, Ordering::SeqCst);
        match self.acker.ack(BasicAckOptions::default()).await.map_err(unavailable)? {
            true => Ok(()),
            false => Err(BusError::Unavailable("connection lost; the message will be redelivered".into())),
        }
    }
}

impl Drop for AmqpSettle {
    /// Returns an unsettled message immediately instead of with the end of the channel.
    fn drop(&mut self) {
        if self.settled.load(Ordering::SeqCst) {
            return;
        }
        let acker = self.acker.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
                acker.nack(options).await
            });
        }
    }
}

#[async_trait]
impl Acknowledger for AmqpSettle {
    async fn ack(&self) -> Result<(), BusError> {
        self.acknowledge().await
    }

    /// Publishes a copy to a wait queue, from which it returns, and then acknowledges the original. A crash in between
    /// delivers both, which handlers expect.
    async fn requeue(&self, after: Duration, counted: bool) -> Result<(), BusError> {
        let copy = DeadLetterCopy {
            exchange: wait_exchange(after).unwrap_or_default(),
            routing_key: &self.queue,
            message: &self.message,
            attempts: self.attempts + u32::from(counted),
            dead_letter: None,
        };
        self.broker.send_copy(&copy).await?;
        self.acknowledge().await
    }

    async fn dead_letter(&self, reason: &str) -> Result<(), BusError> {
        let copy = DeadLetterCopy {
            exchange: DEAD_LETTERS,
            routing_key: &self.queue,
            message: &self.message,
            attempts: self.attempts + 1,
            dead_letter: Some((reason, self.broker.clock.now())),
        };
        self.broker.send_copy(&copy).await?;
        self.acknowledge().await
    }
}
