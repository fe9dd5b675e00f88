//! Connections to the broker, and publishing over them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use contracts::topology::Queue;
use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Confirmation};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::connection::{AmqpConnection, unavailable};
use super::properties::DeadLetterCopy;
use crate::config::urls::AmqpUrl;
use crate::messaging::bus::message::{BusError, Message};
use crate::telemetry::clock::SharedClock;

/// Maximum time for the confirmation of a batch; a broker that is unavailable or out of memory does not confirm.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections to a broker. Clones share them.
#[derive(Clone)]
pub(super) struct Broker {
    pub(super) url: AmqpUrl,
    pub(super) clock: SharedClock,
    pub(super) topology: Arc<Mutex<(Vec<String>, Vec<Queue>)>>,
    /// Connection for publishing. A broker that is out of memory blocks publishers, so consumers have their own
    /// connection.
    pub(super) publishing: ConnectionSlot,
    pub(super) consuming: ConnectionSlot,
    /// Lock for one batch at a time, so returned messages belong to the batch that waits.
    publish_lock: Arc<Mutex<()>>,
}

/// Slot of a connection.
pub(super) type ConnectionSlot = Arc<Mutex<Option<Arc<AmqpConnection>>>>;

/// Message to publish, with its routing.
pub(super) struct Publish<'a> {
    pub(super) exchange: &'a str,
    pub(super) routing_key: &'a str,
    pub(super) mandatory: bool,
    pub(super) properties: BasicProperties,
    pub(super) body: &'a [u8],
}

impl Broker {
    /// Creates a broker without connections.
    #[must_use]
    pub(super) fn new(url: AmqpUrl, clock: SharedClock) -> Self {
        crate::telemetry::install_tls();
        Self {
            url,
            clock,
            topology: Arc::default(),
            publishing: Arc::default(),
            consuming: Arc::default(),
            publish_lock: Arc::default(),
        }
    }

    /// Returns the connection, restored if necessary.
    pub(super) async fn connection(&self, slot: &ConnectionSlot) -> Result<Arc<AmqpConnection>, BusError> {
        let mut known = slot.lock().await;
        if let Some(connection) = known.as_ref().filter(|connection| connection.is_healthy()) {
            return Ok(connection.clone());
        }
        *known = None;
        let (exchanges, queues) = self.topology.lock().await.clone();
        let connection = Arc::new(AmqpConnection::open(&self.url, &exchanges, &queues).await?);
        tracing::info!(url = %self.url, "connected to the broker");
        *known = Some(connection.clone());
        Ok(connection)
    }

    /// Publishes messages and returns their outcomes once all are confirmed.
    pub(super) async fn send(&self, publishes: &[Publish<'_>]) -> Result<Vec<PublishOutcome>, BusError> {
        let _publishing = self.publish_lock.lock().await;
        let connection = self.connection(&self.publishing).await?;
        let sent = async {
            let mut confirms = Vec::with_capacity(publishes.len());
            for publishes in publishes {
                let options = BasicPublishOptions { mandatory: publishes.mandatory, ..BasicPublishOptions::default() };
                let (exchange, key) = (publishes.exchange.into(), publishes.routing_key.into());
                let properties = publishes.properties.clone();
                confirms.push(
                    connection.publisher().basic_publish(exchange, key, options, publishes.body, properties).await?,
                );
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
                    // The broker closed the channel because of a message, such as one above its maximum size.
                    Ok(Err(error)) if error.is_amqp_soft_error() => BusError::Rejected(error.into()),
                    Ok(Err(error)) => unavailable(error),
                    _ => BusError::Unavailable("the confirmation timed out".into()),
                });
            }
        };
        let outcomes = outcomes(publishes, confirmed);
        if outcomes.contains(&PublishOutcome::Returned) {
            // A queue was removed: the next connection declares it again.
            *self.publishing.lock().await = None;
        }
        Ok(outcomes)
    }

    /// Publishes a copy of a message that a queue must accept.
    pub(super) async fn send_copy(&self, copy: &DeadLetterCopy<'_>) -> Result<(), BusError> {
        let publishes = Publish {
            exchange: copy.exchange,
            routing_key: copy.routing_key,
            mandatory: true,
            properties: copy.properties(),
            body: &copy.message.body,
        };
        self.send(&[publishes]).await?.into_iter().try_for_each(|sent| publish_result(sent, copy.message))
    }

    pub(super) async fn known(&self, queue: &str) -> Result<(), BusError> {
        let (_, queues) = &*self.topology.lock().await;
        let known = queues.iter().any(|known| known.name == queue);
        if known { Ok(()) } else { Err(BusError::UnknownQueue(queue.to_owned())) }
    }
}

/// Outcome of a published message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PublishOutcome {
    /// Publish outcome: accepted by the broker.
    Accepted,
    /// Publish outcome: returned without a queue.
    Returned,
    /// Publish outcome: rejected by the broker.
    Rejected,
}

/// Returns the outcome of each message. A returned message is identified by its id: the client attaches it to any of
/// the confirmations, and the broker confirms it like the others.
fn outcomes(publishes: &[Publish<'_>], confirmed: Vec<Confirmation>) -> Vec<PublishOutcome> {
    let (mut returned, mut rejected) = (HashSet::new(), Vec::with_capacity(publishes.len()));
    for confirmation in confirmed {
        rejected.push(!confirmation.is_ack());
        if let Some(message) = confirmation.take_message() {
            returned.insert(message.delivery.properties.message_id().as_ref().map(ToString::to_string));
        }
    }
    let outcome = |(publishes, rejected): (&Publish<'_>, bool)| {
        let id = publishes.properties.message_id().as_ref().map(ToString::to_string);
        match rejected {
            _ if returned.contains(&id) => PublishOutcome::Returned,
            true => PublishOutcome::Rejected,
            false => PublishOutcome::Accepted,
        }
    };
    publishes.iter().zip(rejected).map(outcome).collect()
}

pub(super) fn publish_result(sent: PublishOutcome, message: &Message) -> Result<(), BusError> {
    match sent {
        PublishOutcome::Accepted => Ok(()),
        PublishOutcome::Rejected => Err(BusError::Unavailable("the broker rejected the message".into())),
        PublishOutcome::Returned => {
            Err(BusError::Unroutable { exchange: message.exchange.clone(), event_type: message.event_type.clone() })
        }
    }
}
