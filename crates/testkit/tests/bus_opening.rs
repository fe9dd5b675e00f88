//! Processes that open one file at the same time.

use std::time::Duration;

use common::bus::{BusBackend, SqliteBus};
use common::clock;
use contracts::EventType;
use contracts::topology::{EXCHANGES, PRODUCT_ORDERS, QUEUES};
use testkit::bus::message;

const DEADLINE: Duration = Duration::from_secs(30);

/// Each looks whether the others are alive while they come and go; none may take a living one for dead, or fail for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_that_start_together_do_not_disturb_each_other() {
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
        // One more that opens frees nothing of what these hold: a claim that was freed could be taken again.
        let late = SqliteBus::open(&file, clock::system()).await.unwrap();
        let mut queue = late.subscribe(PRODUCT_ORDERS.name, 1).await.unwrap();
        let marker = message(EventType::OrderUpdated);
        first.publish(std::slice::from_ref(&marker)).await.unwrap();
        let next = tokio::time::timeout(DEADLINE, queue.next()).await.unwrap().unwrap();
        assert_eq!(next.message.id, marker.id, "what a living process holds came to another");
        next.ack().await.unwrap();
        for delivery in held {
            delivery.ack().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_may_make_the_file_together() {
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
