//! Bus on RabbitMQ: conformance, and broker restarts under publishers and consumers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::bus::{AmqpBus, BusBackend, BusError, BusUrl};
use common::clock;
use contracts::EventType;
use contracts::topology::{EXCHANGES, PRODUCT_ORDERS, QUEUES};
use testkit::bus::message;
use testkit::eventually;
use testkit::servers::{self, RabbitMq};

const DEADLINE: Duration = Duration::from_secs(60);

fn open(url: &str) -> Arc<AmqpBus> {
    match url.parse().unwrap() {
        BusUrl::Amqp(url) => Arc::new(AmqpBus::new(url, clock::system())),
        BusUrl::Sqlite(_) => panic!("{url} is no broker"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rabbitmq_bus_passes_the_conformance_suite() {
    let Some(server) = servers::rabbitmq().await else { return };
    testkit::bus::suite(open(&server.vhost().await.unwrap())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_message_is_redelivered_after_a_delay() {
    let Some(server) = servers::rabbitmq().await else { return };
    let bus = open(&server.vhost().await.unwrap());
    bus.declare(EXCHANGES, QUEUES).await.unwrap();
    let sent = message(EventType::OrderUpdated);
    bus.publish(std::slice::from_ref(&sent)).await.unwrap();
    let mut queue = bus.subscribe(PRODUCT_ORDERS.name, 1).await.unwrap();
    let started = Instant::now();
    queue.next().await.unwrap().retry(Duration::from_millis(100), "a fault").await.unwrap();
    let again = tokio::time::timeout(DEADLINE, queue.next()).await.unwrap().unwrap();
    assert_eq!((&again.message, again.attempts), (&sent, 1));
    assert!(started.elapsed() >= Duration::from_millis(100), "it waited");
    again.ack().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_a_lost_connection_are_redelivered() {
    let Some(server) = servers::rabbitmq().await else { return };
    let url = server.vhost().await.unwrap();
    let (dying, living) = (open(&url), open(&url));
    dying.declare(EXCHANGES, QUEUES).await.unwrap();
    living.declare(EXCHANGES, QUEUES).await.unwrap();
    let sent = message(EventType::OrderUpdated);
    living.publish(std::slice::from_ref(&sent)).await.unwrap();
    let mut queue = dying.subscribe(PRODUCT_ORDERS.name, 1).await.unwrap();
    let held = queue.next().await.unwrap();
    drop((queue, held, dying));
    let mut queue = living.subscribe(PRODUCT_ORDERS.name, 1).await.unwrap();
    let again = tokio::time::timeout(DEADLINE, queue.next()).await.unwrap().unwrap();
    assert_eq!(again.message.id, sent.id);
    again.ack().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn broker_restart_loses_no_confirmed_message() {
    let Some(server) = servers::available(RabbitMq::start().await) else { return };
    let url = server.vhost().await.unwrap();
    let (publisher, consumer) = (open(&url), open(&url));
    publisher.declare(EXCHANGES, QUEUES).await.unwrap();
    consumer.declare(EXCHANGES, QUEUES).await.unwrap();
    let before: Vec<_> = (0..20).map(|_| message(EventType::OrderUpdated)).collect();
    assert!(publisher.publish(&before).await.unwrap().iter().all(Result::is_ok));

    server.process.kill().unwrap();
    let started = Instant::now();
    let lost = message(EventType::OrderUpdated);
    let rejected = publisher.publish(std::slice::from_ref(&lost)).await;
    assert!(matches!(rejected, Err(BusError::Unavailable(_))), "{rejected:?}");
    assert!(started.elapsed() < DEADLINE, "it does not hang for as long as the outage lasts");
    assert!(publisher.ping().await.is_err());
    let late = open(&url);
    late.declare(EXCHANGES, QUEUES).await.unwrap();
    assert!(late.ping().await.is_err(), "a client started during the outage starts too");

    server.restart().await.unwrap();
    let after = message(EventType::OrderUpdated);
    eventually("the publisher comes back by itself", DEADLINE, || async {
        let published = publisher.publish(std::slice::from_ref(&after)).await.ok()?;
        published.into_iter().all(|outcome| outcome.is_ok()).then_some(())
    })
    .await;
    eventually("the client started during the outage to connect", DEADLINE, || async { late.ping().await.ok() }).await;

    let expected: BTreeSet<_> = before.iter().chain([&after]).map(|message| message.id).collect();
    let mut seen = BTreeSet::new();
    let mut queue = eventually("the consumer comes back", DEADLINE, || async {
        consumer.subscribe(PRODUCT_ORDERS.name, 8).await.ok()
    })
    .await;
    while !expected.is_subset(&seen) {
        let delivery = tokio::time::timeout(DEADLINE, queue.next()).await.unwrap().unwrap();
        seen.insert(delivery.message.id);
        delivery.ack().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_topology_is_declared_again() {
    let Some(server) = servers::rabbitmq().await else { return };
    let url = server.vhost().await.unwrap();
    let bus = open(&url);
    bus.declare(EXCHANGES, QUEUES).await.unwrap();
    let host = url.rsplit('/').next().unwrap();
    server.ctl(&["delete_vhost", host]).await.unwrap();
    server.ctl(&["add_vhost", host]).await.unwrap();
    server.ctl(&["set_permissions", "-p", host, "guest", ".*", ".*", ".*"]).await.unwrap();
    let sent = message(EventType::OrderUpdated);
    eventually("it is published", DEADLINE, || async {
        let published = bus.publish(std::slice::from_ref(&sent)).await.ok()?;
        published.into_iter().all(|outcome| outcome.is_ok()).then_some(())
    })
    .await;
    let mut queue = bus.subscribe(PRODUCT_ORDERS.name, 1).await.unwrap();
    let delivery = tokio::time::timeout(DEADLINE, queue.next()).await.unwrap().unwrap();
    assert_eq!(delivery.message, sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_unroutable_messages_of_a_batch_are_rejected() {
    let Some(server) = servers::rabbitmq().await else { return };
    let bus = open(&server.vhost().await.unwrap());
    bus.declare(EXCHANGES, QUEUES).await.unwrap();
    for at in [0, 100, 199] {
        let mut batch: Vec<_> = (0..200).map(|_| message(EventType::OrderUpdated)).collect();
        batch[at] = message(EventType::OrderCreated);
        let outcomes = bus.publish(&batch).await.unwrap();
        let rejected: Vec<_> = (0..200).filter(|index| outcomes[*index].is_err()).collect();
        assert_eq!(rejected, [at]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_queue_is_declared_again() {
    let Some(server) = servers::rabbitmq().await else { return };
    let url = server.vhost().await.unwrap();
    let bus = open(&url);
    bus.declare(EXCHANGES, QUEUES).await.unwrap();
    server.ctl(&["delete_queue", "-p", url.rsplit('/').next().unwrap(), PRODUCT_ORDERS.name]).await.unwrap();
    let sent = message(EventType::OrderUpdated);
    eventually("it is taken", DEADLINE, || async { bus.publish(std::slice::from_ref(&sent)).await.ok()?.pop()?.ok() })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_message_is_distinguished_from_an_outage() {
    let Some(server) = servers::rabbitmq().await else { return };
    let bus = open(&server.vhost().await.unwrap());
    bus.declare(EXCHANGES, QUEUES).await.unwrap();
    let (good, mut bad) = (message(EventType::OrderUpdated), message(EventType::OrderUpdated));
    bad.exchange = "nowhere.events".to_owned();
    let rejected = bus.publish(&[good.clone(), bad]).await;
    assert!(matches!(rejected, Err(BusError::Rejected(_))), "{rejected:?}");
    bus.publish(&[good]).await.unwrap().remove(0).unwrap();
}
