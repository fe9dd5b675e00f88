//! Messages, dead letters, and errors of the bus.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use contracts::topology::has_consumer;
use contracts::{Envelope, EventId, EventType};

use crate::BoxError;
use crate::database::store::StoreError;

/// Errors of the bus.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// Bus error: unavailable bus.
    #[error("the bus is unavailable")]
    Unavailable(#[source] BoxError),
    /// Message that no queue accepts although it must have a consumer.
    #[error("no queue accepts `{event_type}` of `{exchange}`")]
    Unroutable {
        /// Exchange of the message.
        exchange: String,
        /// Routing key of the message.
        event_type: String,
    },
    /// Rejected message, and with it the whole batch; another batch may be accepted.
    #[error("the bus rejected a message")]
    Rejected(#[source] BoxError),
    /// Bus error: unknown queue.
    #[error("unknown queue `{0}`")]
    UnknownQueue(String),
    /// Bus error: unreadable content of the bus.
    #[error("the bus has unreadable data: {0}")]
    Corrupt(String),
}

/// Message on the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Id of the event.
    pub id: EventId,
    /// Routing key.
    pub event_type: String,
    /// Exchange, such as `order.events`.
    pub exchange: String,
    /// Envelope as JSON.
    pub body: Bytes,
    /// Name of the publishing service.
    pub app_id: String,
    /// Time of the event.
    pub timestamp: DateTime<Utc>,
    /// Trace context (W3C).
    pub traceparent: Option<String>,
    /// True if a queue must accept the message.
    pub mandatory: bool,
}

impl Message {
    /// Creates the message of an event of a known type. A queue must accept it if a service consumes the type.
    ///
    /// # Errors
    /// Serialization failed, which does not happen for an envelope.
    pub fn from_envelope(
        envelope: &Envelope,
        kind: EventType,
        traceparent: Option<String>,
    ) -> serde_json::Result<Self> {
        Self::routed(envelope, kind.exchange(), has_consumer(kind), traceparent)
    }

    /// Creates the message of an event of any type.
    ///
    /// # Errors
    /// Serialization failed, which does not happen for an envelope.
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

    /// Deserializes the envelope.
    ///
    /// # Errors
    /// The body is not a valid envelope.
    pub fn envelope(&self) -> Result<Envelope, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

/// Dead letter with its reason, identified by queue and event id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Queue of the message.
    pub queue: String,
    /// Message.
    pub message: Message,
    /// Reason of the dead-lettering.
    pub reason: String,
    /// Number of attempts.
    pub attempts: u32,
    /// Time of the dead-lettering.
    pub at: DateTime<Utc>,
}

impl From<StoreError> for BusError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Decode(what) => Self::Corrupt(what),
            StoreError::Internal(error) => Self::Rejected(error),
            other => Self::Unavailable(other.into()),
        }
    }
}

impl From<sqlx::Error> for BusError {
    fn from(error: sqlx::Error) -> Self {
        StoreError::from(error).into()
    }
}
