//! Messages as AMQP properties.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use lapin::Acker;
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable};

use crate::messaging::bus::message::{BusError, DeadLetter, Message};

/// AMQP delivery mode of persistent messages.
const PERSISTENT: u8 = 2;

const TRACEPARENT: &str = "traceparent";
/// Header with milliseconds; AMQP's own timestamp has whole seconds.
const TIMESTAMP_MS: &str = "x-timestamp-ms";
const EXCHANGE: &str = "x-exchange";
const MANDATORY: &str = "x-mandatory";
const ATTEMPTS: &str = "x-attempts";
const REASON: &str = "x-reason";
/// Maximum length of a reason, since headers must fit a frame.
const REASON_CHARS: usize = 1000;
const DEAD_LETTERED_MS: &str = "x-buried-ms";
/// Header of messages that the broker dead-lettered itself.
const X_DEATH: &str = "x-death";

/// Copy of a message that is published again, for a retry or as a dead letter.
pub(super) struct DeadLetterCopy<'a> {
    pub(super) exchange: &'a str,
    pub(super) routing_key: &'a str,
    pub(super) message: &'a Message,
    /// Number of failed attempts.
    pub(super) attempts: u32,
    /// Reason and time, if the copy is a dead letter.
    pub(super) dead_letter: Option<(&'a str, DateTime<Utc>)>,
}

impl DeadLetterCopy<'_> {
    pub(super) fn properties(&self) -> BasicProperties {
        let mut properties = properties(self.message, self.attempts);
        if let (Some((reason, at)), Some(headers)) = (self.dead_letter, properties.headers().clone()) {
            let mut headers = headers;
            let reason: String = reason.chars().take(REASON_CHARS).collect();
            headers.insert(REASON.into(), AMQPValue::LongString(reason.into()));
            headers.insert(DEAD_LETTERED_MS.into(), AMQPValue::LongLongInt(at.timestamp_millis()));
            properties = properties.with_headers(headers);
        }
        properties
    }
}

/// Returns the properties of a message with this number of failed attempts.
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

/// Parses a delivered message and its number of failed attempts.
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

/// Dead letter, with the means to remove it.
pub(super) struct ParsedDeadLetter {
    pub(super) dead: DeadLetter,
    pub(super) acker: Acker,
}

/// Parses a message of a dead-letter queue.
pub(super) fn parse_dead_letter(queue: &str, delivery: Delivery) -> Result<ParsedDeadLetter, BusError> {
    let properties = &delivery.properties;
    let by_broker = || match header(properties, X_DEATH) {
        Some(_) => "dead-lettered by the broker: too many deliveries".to_owned(),
        None => "unknown".to_owned(),
    };
    let reason = string(properties, REASON).unwrap_or_else(by_broker);
    let buried = integer(properties, DEAD_LETTERED_MS).and_then(DateTime::from_timestamp_millis);
    let (message, attempts) = read(properties, delivery.data)?;
    let at = buried.unwrap_or(message.timestamp);
    let dead = DeadLetter { queue: queue.to_owned(), message, reason, attempts, at };
    Ok(ParsedDeadLetter { dead, acker: delivery.acker })
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
