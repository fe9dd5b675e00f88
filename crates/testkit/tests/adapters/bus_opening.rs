//! Concurrent opening of one bus file.

use std::time::Duration;

use common::bus::{BusBackend, SqliteBus};
use common::clock;
use contracts::EventType;
use contracts::topology::{EXCHANGES, PRODUCT_ORDERS, QUEUES};
use testkit::bus::message;

const DEADLINE: Duration = Duration::from_secs(30);

/// Each opener checks the liveness of the others while they start and stop. None may treat a live one as dead, or fail.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_opens_do_not_disturb_each_other() {
    const ROUNDS: usize = 5;
    const TOGETHER: usize = 8;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("bus.db");
    let first = SqliteBus::open(&file, clock::system()).await.unwrap();
    first.declare(EXCHANGES, QUEUES).await.unwrap();
    for _ in 0..ROUNDS {
        let opening: Vec<_> = (0..TOGETHER)
            .map(|_| {
                let file = file.clone();
                tokio::spawn(async move { SqliteBus::open(&file, clock::system()).await })
            })
            .collect();
        let mut open = Vec::new();
        for one in opening {
            open.push(one.await.unwrap().unwrap());
        }
        let sent: Vec<_> = (0..TOGETHER).map(|_| message(EventType::OrderUpdated)).collect();
        first.publish(&sent).await.unwrap();
        let mut held = Vec::new();
        for one in &open {
            let mut queue = one.subscribe(PRODUCT_ORDERS.name, 1).await.unwrap();
            held.push(tokio::time::timeout(DEADLINE, queue.next()).await.unwrap().unwrap());
        }
        // Another opener releases none of their claims: a released claim could be claimed again.
        let late = SqliteBus::open(&file, clock::system()).await.unwrap();
        let mut queue = late.subscribe(PRODUCT_ORDERS.name, 1).await.unwrap();
        let marker = message(EventType::OrderUpdated);
        first.publish(std::slice::from_ref(&marker)).await.unwrap();
        let next = tokio::time::timeout(DEADLINE, queue.next()).await.unwrap().unwrap();
        assert_eq!(next.message.id, marker.id, "a live process's message was delivered to another");
        next.ack().await.unwrap();
        for delivery in held {
            delivery.ack().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_opens_may_create_the_file() {
    for _ in 0..5 {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("new").join("bus.db");
        let opening: Vec<_> = (0..4)
            .map(|_| {
                let file = file.clone();
                tokio::spawn(async move {
                    let bus = SqliteBus::open(&file, clock::system()).await?;
                    bus.declare(EXCHANGES, QUEUES).await
                })
            })
            .collect();
        for one in opening {
            one.await.unwrap().unwrap();
        }
    }
}
