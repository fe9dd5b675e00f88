//! Messages as AMQP carries them.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use lapin::Acker;
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable};

use crate::messaging::bus::message::{BusError, DeadLetter, Message};

/// AMQP's number for messages that survive a restart of the broker.
const PERSISTENT: u8 = 2;

const TRACEPARENT: &str = "traceparent";
/// AMQP's own timestamp has whole seconds.
const TIMESTAMP_MS: &str = "x-timestamp-ms";
const EXCHANGE: &str = "x-exchange";
const MANDATORY: &str = "x-mandatory";
const ATTEMPTS: &str = "x-attempts";
const REASON: &str = "x-reason";
/// Characters of a reason that are kept: headers have to fit a frame.
const REASON_CHARS: usize = 1000;
const BURIED_MS: &str = "x-buried-ms";
/// What the broker writes into a message that it moves itself.
const X_DEATH: &str = "x-death";

/// A copy of a message that is published again: to be tried later, or as a dead letter.
pub(super) struct Copy<'a> {
    pub(super) exchange: &'a str,
    pub(super) routing_key: &'a str,
    pub(super) message: &'a Message,
    /// Failures by the message's own fault.
    pub(super) attempts: u32,
    /// Why it is given up, and when, if it is.
    pub(super) burial: Option<(&'a str, DateTime<Utc>)>,
}

impl Copy<'_> {
    pub(super) fn properties(&self) -> BasicProperties {
        let mut properties = properties(self.message, self.attempts);
        if let (Some((reason, at)), Some(headers)) = (self.burial, properties.headers().clone()) {
            let mut headers = headers;
            let reason: String = reason.chars().take(REASON_CHARS).collect();
            headers.insert(REASON.into(), AMQPValue::LongString(reason.into()));
            headers.insert(BURIED_MS.into(), AMQPValue::LongLongInt(at.timestamp_millis()));
            properties = properties.with_headers(headers);
        }
        properties
    }
}

/// The properties of a message that failed so often.
pub(super) fn properties(message: &Message, attempts: u32) -> BasicProperties {
    let mut headers = FieldTable::default();
    headers.insert(TIMESTAMP_MS.into(), AMQPValue::LongLongInt(message.timestamp.timestamp_millis()));
    headers.insert(EXCHANGE.into(), AMQPValue::LongString(message.exchange.as_str().into()));
    headers.insert(MANDATORY.into(), AMQPValue::Boolean(message.mandatory));
    headers.insert(ATTEMPTS.into(), AMQPValue::LongLongInt(attempts.into()));
    if let Some(traceparent) = &message.traceparent {
        headers.insert(TRACEPARENT.into(), AMQPValue::LongString(traceparent.as_str().into()));
    }
    BasicProperties::default()
        .with_message_id(message.id.to_string().into())
        .with_type(message.event_type.as_str().into())
        .with_app_id(message.app_id.as_str().into())
        .with_timestamp(u64::try_from(message.timestamp.timestamp()).unwrap_or_default())
        .with_content_type("application/json".into())
        .with_delivery_mode(PERSISTENT)
        .with_headers(headers)
}

/// A message as it was delivered, and how often it failed.
pub(super) fn read(properties: &BasicProperties, body: Vec<u8>) -> Result<(Message, u32), BusError> {
    let text = |value: Option<&lapin::types::ShortString>| value.map(|text| text.as_str().to_owned());
    let id = text(properties.message_id().as_ref()).and_then(|id| id.parse().ok());
    let id = id.ok_or_else(|| BusError::Corrupt("a message has no event id".to_owned()))?;
    let at = integer(properties, TIMESTAMP_MS).and_then(DateTime::from_timestamp_millis);
    let seconds = properties.timestamp().and_then(|seconds| i64::try_from(seconds).ok());
    let at = at.or_else(|| DateTime::from_timestamp(seconds?, 0)).unwrap_or_default();
    let message = Message {
        id,
        event_type: text(properties.kind().as_ref()).unwrap_or_default(),
        exchange: string(properties, EXCHANGE).unwrap_or_default(),
        body: Bytes::from(body),
        app_id: text(properties.app_id().as_ref()).unwrap_or_default(),
        timestamp: at,
        traceparent: string(properties, TRACEPARENT),
        mandatory: matches!(header(properties, MANDATORY), Some(AMQPValue::Boolean(true))),
    };
    let attempts = integer(properties, ATTEMPTS).and_then(|attempts| u32::try_from(attempts).ok());
    Ok((message, attempts.unwrap_or_default()))
}

/// A dead letter, and what removes it.
pub(super) struct Letter {
    pub(super) dead: DeadLetter,
    pub(super) acker: Acker,
}

/// A message from a queue of dead letters.
pub(super) fn letter(queue: &str, delivery: Delivery) -> Result<Letter, BusError> {
    let properties = &delivery.properties;
    let by_broker = || match header(properties, X_DEATH) {
        Some(_) => "the broker gave it up: it was delivered too often".to_owned(),
        None => "unknown".to_owned(),
    };
    let reason = string(properties, REASON).unwrap_or_else(by_broker);
    let buried = integer(properties, BURIED_MS).and_then(DateTime::from_timestamp_millis);
    let (message, attempts) = read(properties, delivery.data)?;
    let at = buried.unwrap_or(message.timestamp);
    let dead = DeadLetter { queue: queue.to_owned(), message, reason, attempts, at };
    Ok(Letter { dead, acker: delivery.acker })
}

fn header<'a>(properties: &'a BasicProperties, name: &str) -> Option<&'a AMQPValue> {
    properties.headers().as_ref()?.inner().get(name)
}

fn integer(properties: &BasicProperties, name: &str) -> Option<i64> {
    match header(properties, name)? {
        AMQPValue::LongLongInt(value) => Some(*value),
        AMQPValue::LongInt(value) => Some((*value).into()),
        _ => None,
    }
}

fn string(properties: &BasicProperties, name: &str) -> Option<String> {
    match header(properties, name)? {
        AMQPValue::LongString(value) => Some(value.to_string()),
        _ => None,
    }
}
