//! A consumer's place at a queue of the broker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use lapin::Acker;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicNackOptions};
use lapin::{Channel, Consumer};

use super::broker::Broker;
use super::connection::{Link, unavailable};
use super::properties::{self, Copy};
use super::topology::{DEAD_LETTERS, wait};
use crate::messaging::bus::backend::Subscription;
use crate::messaging::bus::delivery::{Delivery, Settle};
use crate::messaging::bus::message::{BusError, Message};

/// A consumer with a channel of its own.
pub(super) struct AmqpSubscription {
    broker: Broker,
    /// Kept, so that the connection lives as long as its consumers.
    _link: Arc<Link>,
    channel: Channel,
    consumer: Consumer,
    queue: String,
}

impl AmqpSubscription {
    pub(super) fn new(broker: Broker, link: Arc<Link>, channel: Channel, consumer: Consumer, queue: &str) -> Self {
        Self { broker, _link: link, channel, consumer, queue: queue.to_owned() }
    }
}

#[async_trait]
impl Subscription for AmqpSubscription {
    async fn next(&mut self) -> Result<Delivery, BusError> {
        let ended = || BusError::Unavailable("the broker ended the consumer".into());
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
        // What was taken and not settled goes back with the channel.
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
            false => Err(BusError::Unavailable("the connection is gone, the message comes again".into())),
        }
    }
}

impl Drop for AmqpSettle {
    /// What was not settled goes back at once, and does not wait for the channel to be closed.
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
impl Settle for AmqpSettle {
    async fn ack(&self) -> Result<(), BusError> {
        self.acknowledge().await
    }

    /// A copy waits in another queue and comes back from there. Once the broker has it the original goes; if we die in
    /// between both come, which handlers expect.
    async fn put_back(&self, after: Duration, counted: bool) -> Result<(), BusError> {
        let copy = Copy {
            exchange: wait(after).unwrap_or_default(),
            routing_key: &self.queue,
            message: &self.message,
            attempts: self.attempts + u32::from(counted),
            burial: None,
        };
        self.broker.send_copy(&copy).await?;
        self.acknowledge().await
    }

    async fn bury(&self, reason: &str) -> Result<(), BusError> {
        let copy = Copy {
            exchange: DEAD_LETTERS,
            routing_key: &self.queue,
            message: &self.message,
            attempts: self.attempts + 1,
            burial: Some((reason, self.broker.clock.now())),
        };
        self.broker.send_copy(&copy).await?;
        self.acknowledge().await
    }
}
