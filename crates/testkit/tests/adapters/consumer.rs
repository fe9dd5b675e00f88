//! Consumer: panicking handlers and events of unknown types.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta};
use common::database::transaction_effects::InboxRecord;
use common::messaging::bus::{Bus, Message, SqliteBus};
use common::messaging::consumer::{Consumer, EventHandler, HandleError, MAX_ATTEMPTS};
use common::runtime::Shutdown;
use common::telemetry::clock::ManualClock;
use common::telemetry::metrics::Metrics;
use contracts::event::OrderCancelled;
use contracts::topology::{PAYMENT_ORDERS, Queue};
use contracts::{Envelope, Event, EventId, EventType, OrderId};
use testkit::bus::event_message;
use testkit::eventually;

const DEADLINE: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Panicking {
    bad: Mutex<Option<EventId>>,
    attempts: AtomicU32,
    good: AtomicU32,
}

#[async_trait]
impl EventHandler for Panicking {
    fn queue(&self) -> Queue {
        PAYMENT_ORDERS
    }

    async fn handle(&self, _event: Event, handled: InboxRecord, _envelope: &Envelope) -> Result<(), HandleError> {
        let bad = *self.bad.lock().unwrap() == Some(handled.event_id);
        if bad {
            self.attempts.fetch_add(1, Ordering::SeqCst);
            panic!("a rule was broken");
        }
        self.good.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

fn cancelled() -> Message {
    let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    let order_id = OrderId::generate(at);
    let event = Event::OrderCancelled(OrderCancelled { order_id, reason: None, items: Vec::new(), timestamp: at });
    event_message(&event, "order-service", at)
}

#[tokio::test]
async fn panicking_handler_fails_its_own_message_only() {
    let directory = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
    let backend = SqliteBus::open(&directory.path().join("bus.db"), clock.shared()).await.unwrap();
    let bus = Bus::new(Arc::new(backend), &Metrics::new()).await.unwrap();
    let (bad, good) = (cancelled(), cancelled());
    let handler = Arc::new(Panicking { bad: Mutex::new(Some(bad.id)), ..Panicking::default() });
    let shutdown = Shutdown::new();
    let consumer = Consumer::new(bus.clone(), handler.clone(), clock.shared());
    let running = tokio::spawn(consumer.run(shutdown.clone()));
    bus.publish(&[bad.clone(), good]).await.unwrap();

    let dead = eventually("the panicking message to become a dead letter", DEADLINE, || async {
        clock.advance(TimeDelta::seconds(30));
        bus.dead_letters(None, 10).await.unwrap().pop()
    })
    .await;
    assert_eq!((dead.message.id, dead.attempts), (bad.id, MAX_ATTEMPTS));
    assert!(dead.reason.contains("a rule was broken"), "{}", dead.reason);
    assert_eq!(handler.attempts.load(Ordering::SeqCst), MAX_ATTEMPTS);
    assert_eq!(handler.good.load(Ordering::SeqCst), 1);
    shutdown.trigger();
    running.await.unwrap();
}

#[tokio::test]
async fn event_of_unknown_type_becomes_a_dead_letter() {
    let directory = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
    let backend = SqliteBus::open(&directory.path().join("bus.db"), clock.shared()).await.unwrap();
    let bus = Bus::new(Arc::new(backend), &Metrics::new()).await.unwrap();
    let handler = Arc::new(Panicking::default());
    let shutdown = Shutdown::new();
    let running = tokio::spawn(Consumer::new(bus.clone(), handler.clone(), clock.shared()).run(shutdown.clone()));
    // An unknown type, and a type of another queue.
    for kind in ["order.of_the_future", EventType::OrderUpdated.as_str()] {
        let known = cancelled();
        let mut envelope: serde_json::Value = serde_json::from_slice(&known.body).unwrap();
        envelope["eventType"] = kind.into();
        if kind == EventType::OrderUpdated.as_str() {
            envelope["data"]["status"] = "confirmed".into();
        }
        let unknown = Message { body: envelope.to_string().into(), ..known };
        bus.publish(std::slice::from_ref(&unknown)).await.unwrap().remove(0).unwrap();
        let dead = eventually("the event is parked", DEADLINE, || async {
            bus.dead_letters(Some(PAYMENT_ORDERS.name), 10).await.unwrap().pop()
        })
        .await;
        assert_eq!(dead.message, unknown, "it is stored unchanged");
        assert_eq!((dead.reason, dead.attempts), (format!("unknown event type `{kind}`"), 1));
        assert!(bus.redrive(PAYMENT_ORDERS.name, unknown.id).await.unwrap(), "it can be redriven");
        let again = eventually("it is parked again", DEADLINE, || async {
            bus.dead_letters(Some(PAYMENT_ORDERS.name), 10).await.unwrap().pop()
        });
        assert_eq!(again.await.message, unknown);
        assert!(bus.delete_dead_letter(PAYMENT_ORDERS.name, unknown.id).await.unwrap());
    }
    assert_eq!(handler.good.load(Ordering::SeqCst), 0);
    shutdown.trigger();
    running.await.unwrap();
}
