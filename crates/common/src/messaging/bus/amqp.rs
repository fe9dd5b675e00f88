//! Bus on RabbitMQ.
//!
//! Messages are persistent and confirmed by the broker; consumers use quorum queues and manual acknowledgements. While
//! the broker is unavailable, publishing fails within a few seconds and events stay in the outbox. A broken connection
//! is restored by its next user, with its channels and the topology.

use async_trait::async_trait;
use contracts::EventId;
use contracts::topology::Queue;
use lapin::Channel;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicGetOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use uuid::Uuid;

use super::backend::{BusBackend, Subscription};
use super::message::{BusError, DeadLetter, Message};
use crate::config::urls::AmqpUrl;
use crate::telemetry::clock::SharedClock;

mod broker;
mod connection;
mod properties;
mod subscription;
mod topology;

use broker::{Broker, Publish, publish_result};
use connection::unavailable;
use properties::{DeadLetterCopy, ParsedDeadLetter};
use subscription::AmqpSubscription;

/// Reason for closing a channel after a read; the broker returns the messages to the queue.
const PEEK_DONE: &str = "read";

/// Bus on RabbitMQ. Clones share its connections.
#[derive(Clone)]
pub struct AmqpBus(Broker);

impl AmqpBus {
    /// Creates a bus that connects on first use, so a service starts while the broker is unavailable.
    #[must_use]
    pub fn new(url: AmqpUrl, clock: SharedClock) -> Self {
        Self(Broker::new(url, clock))
    }

    /// Reads dead letters of a queue, the oldest first: at most `max`, or up to the one with this id. They stay in the
    /// queue unless they are acknowledged before the channel is closed.
    async fn read_dead_letters(
        &self,
        queue: &str,
        max: usize,
        until: Option<EventId>,
    ) -> Result<(Channel, Vec<ParsedDeadLetter>), BusError> {
        let connection = self.0.connection(&self.0.consuming).await?;
        let channel = connection.channel().await?;
        let (dead, mut letters) = (topology::dead_letter_queue(queue), Vec::new());
        while letters.len() < max {
            let got = channel.basic_get(dead.as_str().into(), BasicGetOptions::default()).await.map_err(unavailable)?;
            let Some(got) = got else { break };
            let letter = properties::parse_dead_letter(queue, got.delivery)?;
            let found = until == Some(letter.dead.message.id);
            letters.push(letter);
            if found {
                break;
            }
        }
        Ok((channel, letters))
    }
}

#[async_trait]
impl BusBackend for AmqpBus {
    async fn declare(&self, exchanges: &[&str], queues: &[Queue]) -> Result<(), BusError> {
        let exchanges = exchanges.iter().map(|exchange| (*exchange).to_owned()).collect();
        *self.0.topology.lock().await = (exchanges, queues.to_vec());
        // The next connection declares the topology, so an unavailable broker does not prevent the start.
        if let Err(error) = self.0.connection(&self.0.publishing).await {
            let error = crate::error_chain(&error);
            tracing::warn!(url = %self.0.url, error, "broker unavailable; events wait in the outbox");
        }
        Ok(())
    }

    async fn publish(&self, batch: &[Message]) -> Result<Vec<Result<(), BusError>>, BusError> {
        let publishes: Vec<_> = batch
            .iter()
            .map(|message| Publish {
                exchange: &message.exchange,
                routing_key: &message.event_type,
                mandatory: message.mandatory,
                properties: properties::properties(message, 0),
                body: &message.body,
            })
            .collect();
        let sent = self.0.send(&publishes).await?;
        Ok(sent.into_iter().zip(batch).map(|(sent, message)| publish_result(sent, message)).collect())
    }

    async fn subscribe(&self, queue: &str, prefetch: u16) -> Result<Box<dyn Subscription>, BusError> {
        self.0.known(queue).await?;
        let connection = self.0.connection(&self.0.consuming).await?;
        let channel = connection.channel().await?;
        channel.basic_qos(prefetch, BasicQosOptions::default()).await.map_err(unavailable)?;
        let tag = format!("{queue}-{}", Uuid::now_v7());
        let options = BasicConsumeOptions::default();
        let consumer = channel.basic_consume(queue.into(), tag.as_str().into(), options, FieldTable::default());
        let consumer = consumer.await.map_err(unavailable)?;
        Ok(Box::new(AmqpSubscription::new(self.0.clone(), connection, channel, consumer, queue)))
    }

    async fn dead_letters(&self, queue: Option<&str>, limit: u32) -> Result<Vec<DeadLetter>, BusError> {
        let queues: Vec<_> = match queue {
            Some(queue) => {
                self.0.known(queue).await?;
                vec![queue.to_owned()]
            }
            None => self.0.topology.lock().await.1.iter().map(|queue| queue.name.to_owned()).collect(),
        };
        let mut left = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut all = Vec::new();
        for queue in queues {
            let (channel, letters) = self.read_dead_letters(&queue, left, None).await?;
            left -= letters.len();
            all.extend(letters.into_iter().map(|letter| letter.dead));
            channel.close(200, PEEK_DONE.into()).await.map_err(unavailable)?;
        }
        Ok(all)
    }

    async fn count_dead_letters(&self, queue: &str) -> Result<u64, BusError> {
        self.0.known(queue).await?;
        let channel = self.0.connection(&self.0.consuming).await?.channel().await?;
        // A passive declaration creates nothing and returns the number of messages.
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let declared =
            channel.queue_declare(topology::dead_letter_queue(queue).as_str().into(), options, FieldTable::default());
        let counted = u64::from(declared.await.map_err(unavailable)?.message_count());
        channel.close(200, PEEK_DONE.into()).await.map_err(unavailable)?;
        Ok(counted)
    }

    async fn redrive(&self, queue: &str, id: EventId) -> Result<bool, BusError> {
        self.settle_dead_letter(queue, id, true).await
    }

    async fn delete_dead_letter(&self, queue: &str, id: EventId) -> Result<bool, BusError> {
        self.settle_dead_letter(queue, id, false).await
    }

    async fn ping(&self) -> Result<(), BusError> {
        self.0.connection(&self.0.publishing).await.map(drop)
    }

    fn system(&self) -> &'static str {
        "rabbitmq"
    }
}

impl AmqpBus {
    /// Deletes a dead letter, and returns its message to its queue if `again` is set.
    async fn settle_dead_letter(&self, queue: &str, id: EventId, again: bool) -> Result<bool, BusError> {
        self.0.known(queue).await?;
        let (channel, letters) = self.read_dead_letters(queue, usize::MAX, Some(id)).await?;
        let found = letters.last().filter(|letter| letter.dead.message.id == id);
        if let Some(letter) = found {
            if again {
                let message = &letter.dead.message;
                self.0
                    .send_copy(&DeadLetterCopy {
                        exchange: "",
                        routing_key: queue,
                        message,
                        attempts: 0,
                        dead_letter: None,
                    })
                    .await?;
            }
            letter.acker.ack(BasicAckOptions::default()).await.map_err(unavailable)?;
        }
        channel.close(200, PEEK_DONE.into()).await.map_err(unavailable)?;
        Ok(found.is_some())
    }
}
