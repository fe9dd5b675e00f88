//! The conformance suite of the bus: every adapter runs it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use common::bus::{BusBackend, BusError, Delivery, Message, Subscription};
use contracts::event::SCHEMA_VERSION;
use contracts::topology::{EXCHANGES, PAYMENT_ORDERS, PRODUCT_ORDERS, QUEUES};
use contracts::{Envelope, Event, EventId, EventType};

/// How long anything may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// A message of this kind.
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

/// The message that carries this event, as the service that caused it would publish it.
///
/// # Panics
/// Never: events are plain structs.
#[must_use]
pub fn carrying(event: &Event, service: &str, at: DateTime<Utc>) -> Message {
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
    Message::carrying(&envelope, kind, None).expect("an envelope is JSON")
}

async fn next(subscription: &mut dyn Subscription) -> Delivery {
    let next = tokio::time::timeout(DEADLINE, subscription.next()).await;
    next.expect("a message comes in time").expect("the bus answers")
}

async fn publish(bus: &dyn BusBackend, messages: &[Message]) {
    for outcome in bus.publish(messages).await.expect("the bus answers") {
        outcome.expect("the message is taken");
    }
}

/// Runs the suite on an empty bus.
///
/// # Panics
/// If the adapter breaks a rule.
pub async fn suite(bus: Arc<dyn BusBackend>) {
    bus.declare(EXCHANGES, QUEUES).await.expect("a topology");
    bus.declare(EXCHANGES, QUEUES).await.expect("the same topology again");
    bus.ping().await.expect("an answer");
    routes(&*bus).await;
    unroutable(&*bus).await;
    settles(&*bus).await;
    prefetches(&*bus).await;
    competes(&*bus).await;
    gives_back(&*bus).await;
}

/// Each queue has its own copy, whole, and of its own kinds alone, also of what was published before anybody listened.
async fn routes(bus: &dyn BusBackend) {
    let (cancelled, updated) = (message(EventType::OrderCancelled), message(EventType::OrderUpdated));
    publish(bus, &[cancelled.clone(), updated.clone()]).await;
    let mut product = bus.subscribe(PRODUCT_ORDERS.name, 8).await.expect("a queue");
    let mut payment = bus.subscribe(PAYMENT_ORDERS.name, 8).await.expect("a queue");
    let (one, two, three) = (next(&mut *product).await, next(&mut *product).await, next(&mut *payment).await);
    assert_eq!([&one.message, &two.message, &three.message], [&cancelled, &updated, &cancelled]);
    assert_eq!((one.queue.as_str(), one.attempts), (PRODUCT_ORDERS.name, 0));
    for delivery in [one, two, three] {
        delivery.ack().await.expect("the bus answers");
    }
    product.close().await.expect("the bus answers");
    payment.close().await.expect("the bus answers");
    assert!(matches!(bus.subscribe("nobody's", 8).await, Err(BusError::UnknownQueue(_))));
}

/// What must have a consumer and has none is refused; what is for outsiders alone is not.
async fn unroutable(bus: &dyn BusBackend) {
    let (lost, outside) = (message(EventType::OrderCreated), message(EventType::UserCreated));
    let outside = Message { mandatory: false, ..outside };
    let outcomes = bus.publish(&[lost, outside]).await.expect("the bus answers");
    assert!(matches!(outcomes[0], Err(BusError::Unroutable { .. })), "{outcomes:?}");
    assert!(outcomes[1].is_ok(), "{outcomes:?}");
}

/// A fault counts, a release does not, a dead letter is kept with its reason, and one that is acknowledged is gone.
async fn settles(bus: &dyn BusBackend) {
    let sent = message(EventType::OrderCancelled);
    publish(bus, std::slice::from_ref(&sent)).await;
    let mut queue = bus.subscribe(PAYMENT_ORDERS.name, 1).await.expect("a queue");
    next(&mut *queue).await.release(Duration::ZERO).await.expect("the bus answers");
    let again = next(&mut *queue).await;
    assert_eq!((again.message.id, again.attempts), (sent.id, 0));
    again.retry(Duration::ZERO, "a fault").await.expect("the bus answers");
    let again = next(&mut *queue).await;
    assert_eq!((again.message.id, again.attempts), (sent.id, 1));
    again.dead("hopeless").await.expect("the bus answers");
    let dead = bus.dead_letters(None, 10).await.expect("the bus answers");
    let dead = dead.iter().find(|letter| letter.message.id == sent.id).expect("the dead letter");
    assert_eq!((dead.reason.as_str(), dead.attempts, dead.queue.as_str()), ("hopeless", 2, PAYMENT_ORDERS.name));
    assert_eq!(dead.message, sent);
    queue.close().await.expect("the bus answers");
    redrives(bus, &sent).await;

    // The other queue's copy knows nothing of that.
    let mut product = bus.subscribe(PRODUCT_ORDERS.name, 1).await.expect("a queue");
    let copy = next(&mut *product).await;
    assert_eq!((copy.message.id, copy.attempts), (sent.id, 0));
    copy.ack().await.expect("the bus answers");
    product.close().await.expect("the bus answers");
}

/// A dead letter can be put back, as if it had never failed, or removed; each is known by its queue and its event.
async fn redrives(bus: &dyn BusBackend, dead: &Message) {
    let (own, other) = (PAYMENT_ORDERS.name, PRODUCT_ORDERS.name);
    assert!(!bus.redrive(other, dead.id).await.expect("the bus answers"), "it is another queue's");
    assert!(bus.redrive(own, dead.id).await.expect("the bus answers"));
    assert!(!bus.redrive(own, dead.id).await.expect("the bus answers"), "it is there once");
    let mut queue = bus.subscribe(own, 1).await.expect("a queue");
    let again = next(&mut *queue).await;
    assert_eq!((&again.message, again.attempts), (dead, 0));
    again.dead("hopeless again").await.expect("the bus answers");
    queue.close().await.expect("the bus answers");
    let letters = bus.dead_letters(Some(own), 10).await.expect("the bus answers");
    assert_eq!(letters.iter().map(|letter| letter.message.id).collect::<Vec<_>>(), [dead.id]);
    assert!(bus.dead_letters(Some(other), 10).await.expect("the bus answers").is_empty());
    assert!(bus.drop_dead(own, dead.id).await.expect("the bus answers"));
    assert!(!bus.drop_dead(own, dead.id).await.expect("the bus answers"));
    assert!(bus.dead_letters(None, 10).await.expect("the bus answers").is_empty());
}

/// A consumer holds no more than it asked for, and gets the next when it settles one.
async fn prefetches(bus: &dyn BusBackend) {
    let sent: Vec<_> = (0..3).map(|_| message(EventType::OrderUpdated)).collect();
    publish(bus, &sent).await;
    let mut narrow = bus.subscribe(PRODUCT_ORDERS.name, 2).await.expect("a queue");
    let mut other = bus.subscribe(PRODUCT_ORDERS.name, 8).await.expect("a queue");
    let held = [next(&mut *narrow).await, next(&mut *narrow).await];
    let rest = next(&mut *other).await;
    let mut ids: Vec<_> = held.iter().map(|delivery| delivery.message.id).collect();
    ids.push(rest.message.id);
    assert_eq!(ids, sent.iter().map(|message| message.id).collect::<Vec<_>>());
    rest.ack().await.expect("the bus answers");
    for delivery in held {
        delivery.ack().await.expect("the bus answers");
    }
    let one_more = message(EventType::OrderUpdated);
    publish(bus, std::slice::from_ref(&one_more)).await;
    other.close().await.expect("the bus answers");
    drop(other);
    let delivery = next(&mut *narrow).await;
    assert_eq!(delivery.message.id, one_more.id);
    delivery.ack().await.expect("the bus answers");
    narrow.close().await.expect("the bus answers");
}

/// Consumers of one queue share its messages: each comes to one of them.
async fn competes(bus: &dyn BusBackend) {
    let sent: Vec<_> = (0..40).map(|_| message(EventType::OrderUpdated)).collect();
    publish(bus, &sent).await;
    let mut seen = BTreeSet::new();
    let mut one = bus.subscribe(PRODUCT_ORDERS.name, 4).await.expect("a queue");
    let mut other = bus.subscribe(PRODUCT_ORDERS.name, 4).await.expect("a queue");
    while seen.len() < sent.len() {
        let delivery = tokio::select! {
            delivery = one.next() => delivery,
            delivery = other.next() => delivery,
            () = tokio::time::sleep(DEADLINE) => panic!("{} of {} came", seen.len(), sent.len()),
        };
        let delivery = delivery.expect("the bus answers");
        assert!(seen.insert(delivery.message.id), "it came twice");
        delivery.ack().await.expect("the bus answers");
    }
    one.close().await.expect("the bus answers");
    other.close().await.expect("the bus answers");
}

/// What a consumer took and did not hand out is there for the next when it leaves.
async fn gives_back(bus: &dyn BusBackend) {
    let sent: Vec<_> = (0..4).map(|_| message(EventType::OrderUpdated)).collect();
    publish(bus, &sent).await;
    let mut leaving = bus.subscribe(PRODUCT_ORDERS.name, 4).await.expect("a queue");
    next(&mut *leaving).await.ack().await.expect("the bus answers");
    leaving.close().await.expect("the bus answers");
    drop(leaving);
    let mut staying = bus.subscribe(PRODUCT_ORDERS.name, 4).await.expect("a queue");
    for _ in 1..sent.len() {
        next(&mut *staying).await.ack().await.expect("the bus answers");
    }
}
