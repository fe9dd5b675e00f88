//! Exchanges and queues, declared by every process that connects.

use std::time::Duration;

use contracts::topology::Queue;
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

/// Exchange of dead letters.
pub(super) const DEAD_LETTERS: &str = "dead-letters";
/// Maximum number of deliveries by the broker. A dropped connection counts as one, so it is high: the message's own
/// count decides.
const DELIVERY_LIMIT: i32 = 1000;
/// Maximum number of deliveries of a dead letter, since each read counts as one.
const DEAD_LETTER_DELIVERY_LIMIT: i32 = 1_000_000;
/// Delays of retries: one queue each, since a queue expires its messages in order.
const WAITS: [(&str, Duration); 4] = [
    ("retry.100ms", Duration::from_millis(100)),
    ("retry.1s", Duration::from_secs(1)),
    ("retry.5s", Duration::from_secs(5)),
    ("retry.30s", Duration::from_secs(30)),
];

/// Returns the name of a dead-letter queue.
pub(super) fn dead_letter_queue(queue: &str) -> String {
    format!("{queue}.dead")
}

/// Returns the exchange whose queue delays a message for about this time; `None` for no delay.
pub(super) fn wait_exchange(time: Duration) -> Option<&'static str> {
    if time.is_zero() {
        return None;
    }
    let [.., (longest, _)] = WAITS;
    Some(WAITS.iter().find(|(_, wait)| *wait >= time).map_or(longest, |(name, _)| name))
}

/// Declares the topology; existing parts are unchanged.
pub(super) async fn declare(channel: &Channel, exchanges: &[String], queues: &[Queue]) -> lapin::Result<()> {
    for name in exchanges {
        exchange(channel, name, ExchangeKind::Topic).await?;
    }
    exchange(channel, DEAD_LETTERS, ExchangeKind::Direct).await?;
    for declared in queues {
        let dead = dead_letter_queue(declared.name);
        queue(channel, &dead, &[("x-delivery-limit", AMQPValue::LongInt(DEAD_LETTER_DELIVERY_LIMIT))]).await?;
        bind(channel, &dead, DEAD_LETTERS, declared.name).await?;
        let arguments = [
            ("x-delivery-limit", AMQPValue::LongInt(DELIVERY_LIMIT)),
            ("x-dead-letter-exchange", text(DEAD_LETTERS)),
            ("x-dead-letter-routing-key", text(declared.name)),
            ("x-dead-letter-strategy", text("at-least-once")),
            ("x-overflow", text("reject-publish")),
        ];
        queue(channel, declared.name, &arguments).await?;
        for event in declared.events {
            bind(channel, declared.name, declared.exchange, event.as_str()).await?;
        }
    }
    for (name, time) in WAITS {
        exchange(channel, name, ExchangeKind::Fanout).await?;
        // An expired message is routed by the default exchange to the queue of its routing key, its original queue.
        let arguments = [
            ("x-message-ttl", AMQPValue::LongLongInt(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))),
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-strategy", text("at-least-once")),
            ("x-overflow", text("reject-publish")),
        ];
        queue(channel, name, &arguments).await?;
        bind(channel, name, name, "").await?;
    }
    Ok(())
}

async fn exchange(channel: &Channel, name: &str, kind: ExchangeKind) -> lapin::Result<()> {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(name.into(), kind, options, FieldTable::default()).await
}

async fn queue(channel: &Channel, name: &str, arguments: &[(&'static str, AMQPValue)]) -> lapin::Result<()> {
    let mut table = FieldTable::default();
    table.insert("x-queue-type".into(), text("quorum"));
    for (argument, value) in arguments {
        table.insert((*argument).into(), value.clone());
    }
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(name.into(), options, table).await.map(drop)
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, key: &str) -> lapin::Result<()> {
    let options = QueueBindOptions::default();
    channel.queue_bind(queue.into(), exchange.into(), key.into(), options, FieldTable::default()).await
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_waits_at_least_its_delay() {
        assert_eq!(wait_exchange(Duration::ZERO), None);
        assert_eq!(wait_exchange(Duration::from_millis(100)), Some("retry.100ms"));
        assert_eq!(wait_exchange(Duration::from_millis(101)), Some("retry.1s"));
        assert_eq!(wait_exchange(Duration::from_secs(600)), Some("retry.30s"));
    }
}
