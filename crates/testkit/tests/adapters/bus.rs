//! Bus on a SQLite file: conformance, recovery after a crash, and the consumer on it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::DateTime;
use common::database::transaction_effects::InboxRecord;
use common::messaging::bus::{Bus, BusBackend, BusUrl, Message, SqliteBus};
use common::messaging::consumer::{Consumer, EventHandler, HandleError, MAX_ATTEMPTS};
use common::runtime::Shutdown;
use common::telemetry::clock::{self, ManualClock};
use common::telemetry::metrics::Metrics;
use contracts::api::OrderStatus;
use contracts::event::OrderUpdated;
use contracts::topology::{EXCHANGES, PRODUCT_ORDERS, QUEUES, Queue};
use contracts::{Envelope, Event, EventId, EventType, OrderId};
use tempfile::TempDir;
use testkit::bus::{event_message, message};
use testkit::eventually;

const DEADLINE: Duration = Duration::from_secs(30);

fn file(directory: &TempDir) -> PathBuf {
    directory.path().join("bus.db")
}

async fn open(directory: &TempDir) -> Arc<SqliteBus> {
    let bus = SqliteBus::open(&file(directory), clock::system()).await.unwrap();
    bus.declare(EXCHANGES, QUEUES).await.unwrap();
    Arc::new(bus)
}

#[tokio::test]
async fn sqlite_bus_passes_the_conformance_suite() {
    let directory = tempfile::tempdir().unwrap();
    testkit::bus::suite(open(&directory).await).await;
}

#[tokio::test]
async fn processes_share_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (open(&directory).await, open(&directory).await);
    let mut queue = other.subscribe(PRODUCT_ORDERS.name, 8).await.unwrap();
    let sent = message(EventType::OrderUpdated);
    let (delivery, published) = tokio::join!(queue.next(), one.publish(std::slice::from_ref(&sent)));
    assert!(published.unwrap()[0].is_ok());
    assert_eq!(delivery.unwrap().message, sent);
}

#[tokio::test]
async fn messages_of_a_dead_process_are_redelivered_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let (dying, living) = (open(&directory).await, open(&directory).await);
    let sent = [message(EventType::OrderUpdated), message(EventType::OrderUpdated)];
    dying.publish(&sent).await.unwrap();
    let held = living.subscribe(PRODUCT_ORDERS.name, 1).await.unwrap().next().await.unwrap();
    let lost = dying.subscribe(PRODUCT_ORDERS.name, 1).await.unwrap().next().await.unwrap();
    let lost_id = lost.message.id;
    drop((lost, dying));

    let next = open(&directory).await;
    let mut queue = next.subscribe(PRODUCT_ORDERS.name, 8).await.unwrap();
    let again = tokio::time::timeout(DEADLINE, queue.next()).await.unwrap().unwrap();
    assert_eq!(again.message.id, lost_id, "what a living process holds stays its own");
    assert_eq!(again.attempts, 0, "dying is no fault of the message");
    again.ack().await.unwrap();
    held.ack().await.unwrap();
}

#[tokio::test]
async fn expired_claim_releases_its_message_and_settles_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(DateTime::from_timestamp(1_700_000_000, 0).unwrap());
    let bus = SqliteBus::open(&file(&directory), clock.shared()).await.unwrap();
    bus.declare(EXCHANGES, QUEUES).await.unwrap();
    bus.publish(&[message(EventType::OrderUpdated)]).await.unwrap();
    let mut queue = bus.subscribe(PRODUCT_ORDERS.name, 8).await.unwrap();
    let slow = queue.next().await.unwrap();
    clock.advance(chrono::TimeDelta::seconds(61));
    let again = queue.next().await.unwrap();
    assert_eq!(again.message.id, slow.message.id);
    slow.ack().await.unwrap();
    again.retry(Duration::ZERO, "still there").await.unwrap();
    assert_eq!(queue.next().await.unwrap().attempts, 1);
}

#[derive(Default)]
struct Recording {
    seen: Mutex<Vec<OrderId>>,
    poison: Mutex<Option<OrderId>>,
    unavailable: AtomicU32,
}

#[async_trait]
impl EventHandler for Recording {
    fn queue(&self) -> Queue {
        PRODUCT_ORDERS
    }

    async fn handle(&self, event: Event, handled: InboxRecord, envelope: &Envelope) -> Result<(), HandleError> {
        let Event::OrderUpdated(updated) = event else { return Ok(()) };
        assert_eq!((handled.event_id, handled.consumer), (envelope.id, PRODUCT_ORDERS.name));
        if *self.poison.lock().unwrap() == Some(updated.order_id) {
            return Err(HandleError::Rejected("poison".into()));
        }
        if self.unavailable.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(HandleError::Unavailable("unavailable".into()));
        }
        self.seen.lock().unwrap().push(updated.order_id);
        Ok(())
    }
}

fn updated(order_id: OrderId) -> Message {
    let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    let event = Event::OrderUpdated(OrderUpdated { order_id, status: OrderStatus::Confirmed, timestamp: at });
    event_message(&event, "order-service", at)
}

fn order() -> OrderId {
    OrderId::from_uuid(EventId::generate(DateTime::UNIX_EPOCH).as_uuid())
}

struct Consuming {
    bus: Bus,
    handler: Arc<Recording>,
    shutdown: Shutdown,
    running: tokio::task::JoinHandle<()>,
    _directory: TempDir,
}

async fn consume(handler: Recording, clock: clock::SharedClock) -> Consuming {
    let directory = tempfile::tempdir().unwrap();
    let bus = Bus::connect(&BusUrl::Sqlite(file(&directory)), &Metrics::new(), clock.clone()).await.unwrap();
    let (handler, shutdown) = (Arc::new(handler), Shutdown::new());
    let running = tokio::spawn(Consumer::new(bus.clone(), handler.clone(), clock).run(shutdown.clone()));
    Consuming { bus, handler, shutdown, running, _directory: directory }
}

impl Consuming {
    async fn until_seen(&self, orders: &[OrderId]) {
        eventually("all are handled", DEADLINE, || async {
            let seen = self.handler.seen.lock().unwrap();
            orders.iter().all(|order| seen.contains(order)).then_some(())
        })
        .await;
    }

    async fn end(self) {
        self.shutdown.trigger();
        self.running.await.unwrap();
    }
}

#[tokio::test]
async fn poison_message_blocks_no_other_and_becomes_a_dead_letter() {
    let poison = order();
    // The clock is advanced, so that the pauses between attempts elapse.
    let clock = ManualClock::at(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
    let handler = Recording { poison: Mutex::new(Some(poison)), ..Recording::default() };
    let consuming = consume(handler, clock.shared()).await;
    let good: Vec<_> = (0..20).map(|_| order()).collect();
    consuming.bus.publish(&[updated(poison)]).await.unwrap();
    consuming.bus.publish(&good.iter().map(|order| updated(*order)).collect::<Vec<_>>()).await.unwrap();
    consuming.until_seen(&good).await;
    let dead = eventually("a dead letter", DEADLINE, || async {
        clock.advance(chrono::TimeDelta::seconds(30));
        consuming.bus.dead_letters(None, 10).await.unwrap().pop()
    })
    .await;
    assert_eq!((dead.attempts, dead.message.envelope().unwrap().aggregate_id), (MAX_ATTEMPTS, poison.to_string()));
    assert!(dead.reason.contains("poison"), "{}", dead.reason);
    consuming.end().await;
}

#[tokio::test]
async fn unavailable_store_only_delays_a_message() {
    let handler = Recording { unavailable: AtomicU32::new(4), ..Recording::default() };
    let consuming = consume(handler, clock::system()).await;
    let orders = [order(), order()];
    consuming.bus.publish(&[updated(orders[0]), updated(orders[1])]).await.unwrap();
    consuming.until_seen(&orders).await;
    assert!(consuming.bus.dead_letters(None, 10).await.unwrap().is_empty());
    consuming.end().await;
}

#[tokio::test]
async fn garbage_and_unknown_event_types_become_dead_letters() {
    let clock = ManualClock::at(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
    let consuming = consume(Recording::default(), clock.shared()).await;
    let garbage = message(EventType::OrderUpdated);
    let good = order();
    let mut unknown = updated(order());
    let body = String::from_utf8(unknown.body.to_vec()).unwrap();
    unknown.body = Bytes::from(body.replace("\"eventType\":\"order.updated\"", "\"eventType\":\"order.sung_about\""));
    let mut parked = [garbage.id, unknown.id];
    consuming.bus.publish(&[garbage, unknown, updated(good)]).await.unwrap();
    consuming.until_seen(&[good]).await;
    let mut dead = eventually("both among the dead letters", DEADLINE, || async {
        clock.advance(chrono::TimeDelta::seconds(30));
        let dead = consuming.bus.dead_letters(None, 10).await.unwrap();
        (dead.len() == parked.len()).then(|| dead.into_iter().map(|letter| letter.message.id).collect::<Vec<_>>())
    })
    .await;
    dead.sort_unstable();
    parked.sort_unstable();
    assert_eq!(dead, parked);
    consuming.end().await;
}
