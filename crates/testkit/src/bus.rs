//! Conformance suite of the bus, run by every adapter.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use common::messaging::bus::{BusBackend, BusError, Delivery, Message, Subscription};
use contracts::event::SCHEMA_VERSION;
use contracts::topology::{EXCHANGES, PAYMENT_ORDERS, PRODUCT_ORDERS, QUEUES};
use contracts::{Envelope, Event, EventId, EventType};

/// Deadline of every wait.
const DEADLINE: Duration = Duration::from_secs(30);

/// Creates a message of this event type.
#[must_use]
pub fn message(kind: EventType) -> Message {
    let at = DateTime::from_timestamp_millis(1_700_000_000_123).unwrap_or_default();
    Message {
        id: EventId::generate(at),
        event_type: kind.as_str().to_owned(),
        exchange: kind.exchange().to_owned(),
        body: Bytes::from_static(b"{\"any\": \"body\"}"),
        app_id: "order-service".to_owned(),
        timestamp: at,
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        mandatory: true,
    }
}

/// Creates the message of an event, as its service publishes it.
///
/// # Panics
/// Never: events are plain structs.
#[must_use]
pub fn event_message(event: &Event, service: &str, at: DateTime<Utc>) -> Message {
    let kind = event.event_type();
    let envelope = Envelope {
        id: EventId::generate(at),
        event_type: kind.as_str().to_owned(),
        schema_version: SCHEMA_VERSION,
        aggregate_id: event.aggregate_id(),
        sequence: 1,
        service: service.to_owned(),
        timestamp: at,
        data: event.data().expect("data is JSON"),
    };
    Message::from_envelope(&envelope, kind, None).expect("an envelope is JSON")
}

async fn next(subscription: &mut dyn Subscription) -> Delivery {
    let next = tokio::time::timeout(DEADLINE, subscription.next()).await;
    next.expect("a message arrives in time").expect("the bus is available")
}

async fn publish(bus: &dyn BusBackend, messages: &[Message]) {
    for outcome in bus.publish(messages).await.expect("the bus is available") {
        outcome.expect("the message is accepted");
    }
}

/// Runs the suite on an empty bus.
///
/// # Panics
/// If the adapter violates the contract.
pub async fn suite(bus: Arc<dyn BusBackend>) {
    bus.declare(EXCHANGES, QUEUES).await.expect("a topology");
    bus.declare(EXCHANGES, QUEUES).await.expect("a repeated declaration");
    bus.ping().await.expect("a response");
    routes_messages(&*bus).await;
    rejects_unroutable(&*bus).await;
    settles_deliveries(&*bus).await;
    limits_prefetch(&*bus).await;
    distributes_to_consumers(&*bus).await;
    requeues_prefetched(&*bus).await;
}

/// Checks that each queue receives a complete copy of its own event types, also those published before a subscription.
async fn routes_messages(bus: &dyn BusBackend) {
    let (cancelled, updated) = (message(EventType::OrderCancelled), message(EventType::OrderUpdated));
    publish(bus, &[cancelled.clone(), updated.clone()]).await;
    let mut product = bus.subscribe(PRODUCT_ORDERS.name, 8).await.expect("a queue");
    let mut payment = bus.subscribe(PAYMENT_ORDERS.name, 8).await.expect("a queue");
    let (one, two, three) = (next(&mut *product).await, next(&mut *product).await, next(&mut *payment).await);
    assert_eq!([&one.message, &two.message, &three.message], [&cancelled, &updated, &cancelled]);
    assert_eq!((one.queue.as_str(), one.attempts), (PRODUCT_ORDERS.name, 0));
    for delivery in [one, two, three] {
        delivery.ack().await.expect("the bus is available");
    }
    product.close().await.expect("the bus is available");
    payment.close().await.expect("the bus is available");
    assert!(matches!(bus.subscribe("unknown", 8).await, Err(BusError::UnknownQueue(_))));
}

/// Checks that mandatory messages without a queue are rejected and others accepted.
async fn rejects_unroutable(bus: &dyn BusBackend) {
    let (lost, outside) = (message(EventType::OrderCreated), message(EventType::UserCreated));
    let outside = Message { mandatory: false, ..outside };
    let outcomes = bus.publish(&[lost, outside]).await.expect("the bus is available");
    assert!(matches!(outcomes[0], Err(BusError::Unroutable { .. })), "{outcomes:?}");
    assert!(outcomes[1].is_ok(), "{outcomes:?}");
}

/// Checks that a retry counts an attempt, a release does not, a dead letter has its reason, and an acknowledged message is
/// removed.
async fn settles_deliveries(bus: &dyn BusBackend) {
    let sent = message(EventType::OrderCancelled);
    publish(bus, std::slice::from_ref(&sent)).await;
    let mut queue = bus.subscribe(PAYMENT_ORDERS.name, 1).await.expect("a queue");
    next(&mut *queue).await.release(Duration::ZERO).await.expect("the bus is available");
    let again = next(&mut *queue).await;
    assert_eq!((again.message.id, again.attempts), (sent.id, 0));
    again.retry(Duration::ZERO, "a fault").await.expect("the bus is available");
    let again = next(&mut *queue).await;
    assert_eq!((again.message.id, again.attempts), (sent.id, 1));
    again.dead_letter("hopeless").await.expect("the bus is available");
    let dead = bus.dead_letters(None, 10).await.expect("the bus is available");
    let dead = dead.iter().find(|letter| letter.message.id == sent.id).expect("the dead letter");
    assert_eq!((dead.reason.as_str(), dead.attempts, dead.queue.as_str()), ("hopeless", 2, PAYMENT_ORDERS.name));
    assert_eq!(dead.message, sent);
    queue.close().await.expect("the bus is available");
    redrives_dead_letters(bus, &sent).await;

    // The other queue's copy is unaffected.
    let mut product = bus.subscribe(PRODUCT_ORDERS.name, 1).await.expect("a queue");
    let copy = next(&mut *product).await;
    assert_eq!((copy.message.id, copy.attempts), (sent.id, 0));
    copy.ack().await.expect("the bus is available");
    product.close().await.expect("the bus is available");
}

/// Checks that a dead letter can be redriven with its attempts reset, or deleted, by its queue and event.
async fn redrives_dead_letters(bus: &dyn BusBackend, dead: &Message) {
    let (own, other) = (PAYMENT_ORDERS.name, PRODUCT_ORDERS.name);
    assert!(!bus.redrive(other, dead.id).await.expect("the bus is available"), "it belongs to another queue");
    assert!(bus.redrive(own, dead.id).await.expect("the bus is available"));
    assert!(!bus.redrive(own, dead.id).await.expect("the bus is available"), "it exists once");
    let mut queue = bus.subscribe(own, 1).await.expect("a queue");
    let again = next(&mut *queue).await;
    assert_eq!((&again.message, again.attempts), (dead, 0));
    again.dead_letter("hopeless again").await.expect("the bus is available");
    queue.close().await.expect("the bus is available");
    let letters = bus.dead_letters(Some(own), 10).await.expect("the bus is available");
    assert_eq!(letters.iter().map(|letter| letter.message.id).collect::<Vec<_>>(), [dead.id]);
    assert!(bus.dead_letters(Some(other), 10).await.expect("the bus is available").is_empty());
    assert!(bus.delete_dead_letter(own, dead.id).await.expect("the bus is available"));
    assert!(!bus.delete_dead_letter(own, dead.id).await.expect("the bus is available"));
    assert!(bus.dead_letters(None, 10).await.expect("the bus is available").is_empty());
}

/// Checks that a consumer holds at most its prefetch and receives the next message when it settles one.
async fn limits_prefetch(bus: &dyn BusBackend) {
    let sent: Vec<_> = (0..3).map(|_| message(EventType::OrderUpdated)).collect();
    publish(bus, &sent).await;
    let mut narrow = bus.subscribe(PRODUCT_ORDERS.name, 2).await.expect("a queue");
    let mut other = bus.subscribe(PRODUCT_ORDERS.name, 8).await.expect("a queue");
    let held = [next(&mut *narrow).await, next(&mut *narrow).await];
    let rest = next(&mut *other).await;
    let mut ids: Vec<_> = held.iter().map(|delivery| delivery.message.id).collect();
    ids.push(rest.message.id);
    assert_eq!(ids, sent.iter().map(|message| message.id).collect::<Vec<_>>());
    rest.ack().await.expect("the bus is available");
    for delivery in held {
        delivery.ack().await.expect("the bus is available");
    }
    let one_more = message(EventType::OrderUpdated);
    publish(bus, std::slice::from_ref(&one_more)).await;
    other.close().await.expect("the bus is available");
    drop(other);
    let delivery = next(&mut *narrow).await;
    assert_eq!(delivery.message.id, one_more.id);
    delivery.ack().await.expect("the bus is available");
    narrow.close().await.expect("the bus is available");
}

/// Checks that each message of a queue is delivered to one of its consumers.
async fn distributes_to_consumers(bus: &dyn BusBackend) {
    let sent: Vec<_> = (0..40).map(|_| message(EventType::OrderUpdated)).collect();
    publish(bus, &sent).await;
    let mut seen = BTreeSet::new();
    let mut one = bus.subscribe(PRODUCT_ORDERS.name, 4).await.expect("a queue");
    let mut other = bus.subscribe(PRODUCT_ORDERS.name, 4).await.expect("a queue");
    while seen.len() < sent.len() {
        let delivery = tokio::select! {
            delivery = one.next() => delivery,
            delivery = other.next() => delivery,
            () = tokio::time::sleep(DEADLINE) => panic!("{} of {} arrived", seen.len(), sent.len()),
        };
        let delivery = delivery.expect("the bus is available");
        assert!(seen.insert(delivery.message.id), "it was delivered twice");
        delivery.ack().await.expect("the bus is available");
    }
    one.close().await.expect("the bus is available");
    other.close().await.expect("the bus is available");
}

/// Checks that messages prefetched by a closed consumer are available to the next.
async fn requeues_prefetched(bus: &dyn BusBackend) {
    let sent: Vec<_> = (0..4).map(|_| message(EventType::OrderUpdated)).collect();
    publish(bus, &sent).await;
    let mut leaving = bus.subscribe(PRODUCT_ORDERS.name, 4).await.expect("a queue");
    next(&mut *leaving).await.ack().await.expect("the bus is available");
    leaving.close().await.expect("the bus is available");
    drop(leaving);
    let mut staying = bus.subscribe(PRODUCT_ORDERS.name, 4).await.expect("a queue");
    for _ in 1..sent.len() {
        next(&mut *staying).await.ack().await.expect("the bus is available");
    }
}
