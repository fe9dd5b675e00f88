//! Messages, dead letters, and errors of the bus.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use contracts::topology::has_consumer;
use contracts::{Envelope, EventId, EventType};

use crate::BoxError;
use crate::database::store::StoreError;

/// Why the bus did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// It does not answer.
    #[error("the bus is unavailable")]
    Unavailable(#[source] BoxError),
    /// No queue takes the message, though it must have a consumer.
    #[error("no queue takes `{event_type}` of `{exchange}`")]
    Unroutable {
        /// Where it was published.
        exchange: String,
        /// Its routing key.
        event_type: String,
    },
    /// It refuses a message for what it is, and with it the whole batch: another batch may well be taken.
    #[error("the bus rejects a message")]
    Rejected(#[source] BoxError),
    /// There is no such queue.
    #[error("there is no queue `{0}`")]
    UnknownQueue(String),
    /// What it holds cannot be read.
    #[error("the bus holds what cannot be read: {0}")]
    Corrupt(String),
}

/// A message as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The event's id.
    pub id: EventId,
    /// The routing key.
    pub event_type: String,
    /// Where it is published, such as `order.events`.
    pub exchange: String,
    /// The envelope as JSON.
    pub body: Bytes,
    /// The service that published it.
    pub app_id: String,
    /// When it happened.
    pub timestamp: DateTime<Utc>,
    /// The trace that it belongs to (W3C trace context).
    pub traceparent: Option<String>,
    /// Whether a queue must take it.
    pub mandatory: bool,
}

impl Message {
    /// The message that carries an event of this kind; a queue must take it if a service of the fleet hears the kind.
    ///
    /// # Errors
    /// Never in practice: an envelope is a plain struct.
    pub fn carrying(envelope: &Envelope, kind: EventType, traceparent: Option<String>) -> serde_json::Result<Self> {
        Self::routed(envelope, kind.exchange(), has_consumer(kind), traceparent)
    }

    /// The message that carries an event to this exchange, whatever its kind.
    ///
    /// # Errors
    /// The same.
    pub(crate) fn routed(
        envelope: &Envelope,
        exchange: &str,
        mandatory: bool,
        traceparent: Option<String>,
    ) -> serde_json::Result<Self> {
        Ok(Self {
            id: envelope.id,
            event_type: envelope.event_type.clone(),
            exchange: exchange.to_owned(),
            body: Bytes::from(serde_json::to_vec(envelope)?),
            app_id: envelope.service.clone(),
            timestamp: envelope.timestamp,
            traceparent,
            mandatory,
        })
    }

    /// The envelope.
    ///
    /// # Errors
    /// If the body is none.
    pub fn envelope(&self) -> Result<Envelope, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

/// A message that was given up, with the reason. Queue and event id tell it from all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The queue that it came by.
    pub queue: String,
    /// The message.
    pub message: Message,
    /// Why it was given up.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was given up.
    pub at: DateTime<Utc>,
}

impl From<StoreError> for BusError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corrupt(what) => Self::Corrupt(what),
            StoreError::Fault(refusal) => Self::Rejected(refusal),
            other => Self::Unavailable(other.into()),
        }
    }
}

impl From<sqlx::Error> for BusError {
    fn from(error: sqlx::Error) -> Self {
        StoreError::from(error).into()
    }
}
