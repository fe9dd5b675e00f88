//! The connections to the broker, and what is published over them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use contracts::topology::Queue;
use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Confirmation};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::connection::{Link, unavailable};
use super::properties::Copy;
use crate::config::urls::AmqpUrl;
use crate::messaging::bus::message::{BusError, Message};
use crate::telemetry::clock::SharedClock;

/// How long a batch may take to be confirmed; a broker that is away or out of memory does not confirm at all.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(5);
/// A broker, as its users share it. Clones share the connections.
#[derive(Clone)]
pub(super) struct Broker {
    pub(super) url: AmqpUrl,
    pub(super) clock: SharedClock,
    pub(super) topology: Arc<Mutex<(Vec<String>, Vec<Queue>)>>,
    /// A broker that is out of memory stops whoever publishes: consumers have a connection of their own.
    pub(super) publishing: Place,
    pub(super) consuming: Place,
    /// One batch at a time, so that what comes back from the broker is of the batch that waits.
    turn: Arc<Mutex<()>>,
}

/// Where a connection is kept.
pub(super) type Place = Arc<Mutex<Option<Arc<Link>>>>;

/// Something that is published: where, how, and what.
pub(super) struct Parcel<'a> {
    pub(super) exchange: &'a str,
    pub(super) routing_key: &'a str,
    pub(super) mandatory: bool,
    pub(super) properties: BasicProperties,
    pub(super) body: &'a [u8],
}

impl Broker {
    /// At this address. It is connected to when it is first needed, so that a service starts while the broker is away.
    #[must_use]
    pub(super) fn new(url: AmqpUrl, clock: SharedClock) -> Self {
        crate::telemetry::install_tls();
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
    pub(super) async fn link(&self, place: &Place) -> Result<Arc<Link>, BusError> {
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
    pub(super) async fn send(&self, parcels: &[Parcel<'_>]) -> Result<Vec<Sent>, BusError> {
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
    pub(super) async fn send_copy(&self, copy: &Copy<'_>) -> Result<(), BusError> {
        let parcel = Parcel {
            exchange: copy.exchange,
            routing_key: copy.routing_key,
            mandatory: true,
            properties: copy.properties(),
            body: &copy.message.body,
        };
        self.send(&[parcel]).await?.into_iter().try_for_each(|sent| judge(sent, copy.message))
    }

    pub(super) async fn known(&self, queue: &str) -> Result<(), BusError> {
        let (_, queues) = &*self.topology.lock().await;
        let known = queues.iter().any(|known| known.name == queue);
        if known { Ok(()) } else { Err(BusError::UnknownQueue(queue.to_owned())) }
    }
}

/// What became of something that was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
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

pub(super) fn judge(sent: Sent, message: &Message) -> Result<(), BusError> {
    match sent {
        Sent::Taken => Ok(()),
        Sent::Refused => Err(BusError::Unavailable("the broker did not take the message".into())),
        Sent::Returned => {
            Err(BusError::Unroutable { exchange: message.exchange.clone(), event_type: message.event_type.clone() })
        }
    }
}
