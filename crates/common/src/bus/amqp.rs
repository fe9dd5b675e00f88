//! The bus on RabbitMQ.
//!
//! Messages are persistent and confirmed by the broker; consumers have quorum queues and acknowledge by hand. What is
//! published while the broker is away fails within a few seconds, and the outbox keeps it. A connection that broke is
//! made anew, with its channels and the topology, by whoever needs it next.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use contracts::EventId;
use contracts::topology::Queue;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, BasicQosOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::sync::Mutex;
use tokio::time::timeout;
use uuid::Uuid;

use super::{AmqpUrl, BusBackend, BusError, DeadLetter, Message, Subscription};
use crate::clock::SharedClock;

mod link;
mod subscription;
mod topology;
mod wire;

use link::Link;
use subscription::AmqpSubscription;
use wire::{Copy, Letter};

/// How long a batch may take to be confirmed; a broker that is away or out of memory does not confirm at all.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(5);
/// Why a channel is closed that only looked: the broker puts back what it was shown.
const LOOKED: &str = "looked through";

/// The bus on RabbitMQ. Clones share its connection.
#[derive(Clone)]
pub struct AmqpBus {
    url: AmqpUrl,
    clock: SharedClock,
    topology: Arc<Mutex<(Vec<String>, Vec<Queue>)>>,
    /// A broker that is out of memory stops whoever publishes: consumers have a connection of their own.
    publishing: Place,
    consuming: Place,
    /// One batch at a time, so that what comes back from the broker is of the batch that waits.
    turn: Arc<Mutex<()>>,
}

/// Where a connection is kept.
type Place = Arc<Mutex<Option<Arc<Link>>>>;

/// Something that is published: where, how, and what.
struct Parcel<'a> {
    exchange: &'a str,
    routing_key: &'a str,
    mandatory: bool,
    properties: BasicProperties,
    body: &'a [u8],
}

impl AmqpBus {
    /// At this address. It is connected to when it is first needed, so that a service starts while the broker is away.
    #[must_use]
    pub fn new(url: AmqpUrl, clock: SharedClock) -> Self {
        crate::client::install_tls();
        Self {
            url,
            clock,
            topology: Arc::default(),
            publishing: Arc::default(),
            consuming: Arc::default(),
            turn: Arc::default(),
        }
    }

    /// The connection, made anew if there is none.
    async fn link(&self, place: &Place) -> Result<Arc<Link>, BusError> {
        let mut known = place.lock().await;
        if let Some(link) = known.as_ref().filter(|link| link.is_well()) {
            return Ok(link.clone());
        }
        *known = None;
        let (exchanges, queues) = self.topology.lock().await.clone();
        let link = Arc::new(Link::open(&self.url, &exchanges, &queues).await?);
        tracing::info!(url = %self.url, "connected to the broker");
        *known = Some(link.clone());
        Ok(link)
    }

    /// Publishes, and waits until all of it is confirmed: what became of each.
    async fn send(&self, parcels: &[Parcel<'_>]) -> Result<Vec<Sent>, BusError> {
        let _turn = self.turn.lock().await;
        let link = self.link(&self.publishing).await?;
        let sent = async {
            let mut confirms = Vec::with_capacity(parcels.len());
            for parcel in parcels {
                let options = BasicPublishOptions { mandatory: parcel.mandatory, ..BasicPublishOptions::default() };
                let (exchange, key) = (parcel.exchange.into(), parcel.routing_key.into());
                let properties = parcel.properties.clone();
                confirms.push(link.publisher().basic_publish(exchange, key, options, parcel.body, properties).await?);
            }
            let mut confirmed = Vec::with_capacity(confirms.len());
            for confirm in confirms {
                confirmed.push(confirm.await?);
            }
            Ok::<_, lapin::Error>(confirmed)
        };
        let confirmed = match timeout(CONFIRM_TIMEOUT, sent).await {
            Ok(Ok(confirmed)) => confirmed,
            failed => {
                *self.publishing.lock().await = None;
                return Err(match failed {
                    // The broker closed the channel for what it was sent, such as a message above its largest size.
                    Ok(Err(error)) if error.is_amqp_soft_error() => BusError::Rejected(error.into()),
                    Ok(Err(error)) => unavailable(error),
                    _ => BusError::Unavailable("the broker did not confirm in time".into()),
                });
            }
        };
        let outcomes = outcomes(parcels, confirmed);
        if outcomes.contains(&Sent::Returned) {
            // Somebody removed a queue: whoever connects next declares it again.
            *self.publishing.lock().await = None;
        }
        Ok(outcomes)
    }

    /// Publishes one copy of a message, which a queue must take.
    async fn send_copy(&self, copy: &Copy<'_>) -> Result<(), BusError> {
        let parcel = Parcel {
            exchange: copy.exchange,
            routing_key: copy.routing_key,
            mandatory: true,
            properties: copy.properties(),
            body: &copy.message.body,
        };
        self.send(&[parcel]).await?.into_iter().try_for_each(|sent| judge(sent, copy.message))
    }

    /// Dead letters of a queue, the oldest first: `most` of them, or up to the one with this id. They stay until they
    /// are acknowledged: the broker puts them back when the channel is closed.
    async fn letters(
        &self,
        queue: &str,
        most: usize,
        until: Option<EventId>,
    ) -> Result<(Channel, Vec<Letter>), BusError> {
        let link = self.link(&self.consuming).await?;
        let channel = link.channel().await?;
        let (dead, mut letters) = (topology::dead(queue), Vec::new());
        while letters.len() < most {
            let got = channel.basic_get(dead.as_str().into(), BasicGetOptions::default()).await.map_err(unavailable)?;
            let Some(got) = got else { break };
            let letter = wire::letter(queue, got.delivery)?;
            let found = until == Some(letter.dead.message.id);
            letters.push(letter);
            if found {
                break;
            }
        }
        Ok((channel, letters))
    }

    async fn known(&self, queue: &str) -> Result<(), BusError> {
        let (_, queues) = &*self.topology.lock().await;
        let known = queues.iter().any(|known| known.name == queue);
        if known { Ok(()) } else { Err(BusError::UnknownQueue(queue.to_owned())) }
    }
}

#[async_trait]
impl BusBackend for AmqpBus {
    async fn declare(&self, exchanges: &[&str], queues: &[Queue]) -> Result<(), BusError> {
        let exchanges = exchanges.iter().map(|exchange| (*exchange).to_owned()).collect();
        *self.topology.lock().await = (exchanges, queues.to_vec());
        // Whoever connects declares it: a broker that is away now is no reason not to start.
        if let Err(error) = self.link(&self.publishing).await {
            let error = crate::chain(&error);
            tracing::warn!(url = %self.url, error, "the broker is away, events wait in the outbox");
        }
        Ok(())
    }

    async fn publish(&self, batch: &[Message]) -> Result<Vec<Result<(), BusError>>, BusError> {
        let parcels: Vec<_> = batch
            .iter()
            .map(|message| Parcel {
                exchange: &message.exchange,
                routing_key: &message.event_type,
                mandatory: message.mandatory,
                properties: wire::properties(message, 0),
                body: &message.body,
            })
            .collect();
        let sent = self.send(&parcels).await?;
        Ok(sent.into_iter().zip(batch).map(|(sent, message)| judge(sent, message)).collect())
    }

    async fn subscribe(&self, queue: &str, prefetch: u16) -> Result<Box<dyn Subscription>, BusError> {
        self.known(queue).await?;
        let link = self.link(&self.consuming).await?;
        let channel = link.channel().await?;
        channel.basic_qos(prefetch, BasicQosOptions::default()).await.map_err(unavailable)?;
        let tag = format!("{queue}-{}", Uuid::now_v7());
        let options = BasicConsumeOptions::default();
        let consumer = channel.basic_consume(queue.into(), tag.as_str().into(), options, FieldTable::default());
        let consumer = consumer.await.map_err(unavailable)?;
        Ok(Box::new(AmqpSubscription::new(self.clone(), link, channel, consumer, queue)))
    }

    async fn dead_letters(&self, queue: Option<&str>, limit: u32) -> Result<Vec<DeadLetter>, BusError> {
        let queues: Vec<_> = match queue {
            Some(queue) => {
                self.known(queue).await?;
                vec![queue.to_owned()]
            }
            None => self.topology.lock().await.1.iter().map(|queue| queue.name.to_owned()).collect(),
        };
        let mut left = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut all = Vec::new();
        for queue in queues {
            let (channel, letters) = self.letters(&queue, left, None).await?;
            left -= letters.len();
            all.extend(letters.into_iter().map(|letter| letter.dead));
            channel.close(200, LOOKED.into()).await.map_err(unavailable)?;
        }
        Ok(all)
    }

    async fn count_dead(&self, queue: &str) -> Result<u64, BusError> {
        self.known(queue).await?;
        let channel = self.link(&self.consuming).await?.channel().await?;
        // Passive: it makes nothing, and tells how many messages there are.
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let declared = channel.queue_declare(topology::dead(queue).as_str().into(), options, FieldTable::default());
        let counted = u64::from(declared.await.map_err(unavailable)?.message_count());
        channel.close(200, LOOKED.into()).await.map_err(unavailable)?;
        Ok(counted)
    }

    async fn redrive(&self, queue: &str, id: EventId) -> Result<bool, BusError> {
        self.settle_letter(queue, id, true).await
    }

    async fn drop_dead(&self, queue: &str, id: EventId) -> Result<bool, BusError> {
        self.settle_letter(queue, id, false).await
    }

    async fn ping(&self) -> Result<(), BusError> {
        self.link(&self.publishing).await.map(drop)
    }

    fn system(&self) -> &'static str {
        "rabbitmq"
    }
}

impl AmqpBus {
    /// Removes a dead letter, and puts its message back into its queue if it is to be tried again.
    async fn settle_letter(&self, queue: &str, id: EventId, again: bool) -> Result<bool, BusError> {
        self.known(queue).await?;
        let (channel, letters) = self.letters(queue, usize::MAX, Some(id)).await?;
        let found = letters.last().filter(|letter| letter.dead.message.id == id);
        if let Some(letter) = found {
            if again {
                let message = &letter.dead.message;
                self.send_copy(&Copy { exchange: "", routing_key: queue, message, attempts: 0, burial: None }).await?;
            }
            letter.acker.ack(BasicAckOptions::default()).await.map_err(unavailable)?;
        }
        channel.close(200, LOOKED.into()).await.map_err(unavailable)?;
        Ok(found.is_some())
    }
}

/// What became of something that was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    /// The broker has it.
    Taken,
    /// No queue took it.
    Returned,
    /// The broker could not keep it.
    Refused,
}

/// What became of each. A message that came back is known by its id alone: the client hands it out with any of the
/// confirmations, and the broker confirms it like the others.
fn outcomes(parcels: &[Parcel<'_>], confirmed: Vec<Confirmation>) -> Vec<Sent> {
    let (mut returned, mut refused) = (HashSet::new(), Vec::with_capacity(parcels.len()));
    for confirmation in confirmed {
        refused.push(!confirmation.is_ack());
        if let Some(message) = confirmation.take_message() {
            returned.insert(message.delivery.properties.message_id().as_ref().map(ToString::to_string));
        }
    }
    let outcome = |(parcel, refused): (&Parcel<'_>, bool)| {
        let id = parcel.properties.message_id().as_ref().map(ToString::to_string);
        match refused {
            _ if returned.contains(&id) => Sent::Returned,
            true => Sent::Refused,
            false => Sent::Taken,
        }
    };
    parcels.iter().zip(refused).map(outcome).collect()
}

fn judge(sent: Sent, message: &Message) -> Result<(), BusError> {
    match sent {
        Sent::Taken => Ok(()),
        Sent::Refused => Err(BusError::Unavailable("the broker did not take the message".into())),
        Sent::Returned => {
            Err(BusError::Unroutable { exchange: message.exchange.clone(), event_type: message.event_type.clone() })
        }
    }
}

fn unavailable(error: lapin::Error) -> BusError {
    BusError::Unavailable(error.into())
}
