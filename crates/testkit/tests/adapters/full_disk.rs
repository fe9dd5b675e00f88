//! SQLite files on a full disk: changes are rejected, nothing is lost, and writes resume once space is free.

use std::sync::Arc;

use common::database::Database;
use common::database::idempotency::{Acquire, FINGERPRINT_SCHEME, IdempotentRequest};
use common::database::store::StoreError;
use common::database::transaction_effects::Effects;
use common::messaging::bus::{BusBackend as _, BusError, SqliteBus};
use common::telemetry::clock::ManualClock;
use contracts::EventType;
use contracts::topology::{EXCHANGES, PAYMENT_ORDERS, QUEUES};
use sqlx::migrate::Migrator;
use testkit::bus::message;
use testkit::disk::Disk;
use testkit::idempotency::START;
use testkit::outbox::many_effects;

/// Attempts of a change, more than fit into the log's remaining space.
const ATTEMPTS: usize = 200;

async fn open(disk: &Disk) -> Database {
    let none = Migrator::with_migrations(Vec::new());
    Database::open_sqlite(&disk.path().join("store.db"), "order-service", &none).await.unwrap()
}

async fn commit(db: &Database, effects: &Effects) -> Result<(), StoreError> {
    db.commit(db.begin().await?, effects).await
}

#[tokio::test]
async fn store_writes_again_after_a_full_disk() {
    let Some(disk) = Disk::new(2048) else { return };
    let (db, clock) = (open(&disk).await, ManualClock::at(START));
    let keys = db.keys(Arc::new(clock.clone()));
    let request = |number: usize| IdempotentRequest {
        caller: "ann".to_owned(),
        key: format!("key {number}"),
        hash: [0; 32],
        fingerprint: format!("{FINGERPRINT_SCHEME}{number}"),
    };
    let mut written = 0;
    for round in 0..3 {
        commit(&db, &many_effects(10)).await.unwrap();
        written += 10;
        db.ping().await.unwrap();
        disk.fill();
        let mut rejected = 0;
        for number in 0..ATTEMPTS {
            match commit(&db, &many_effects(20)).await {
                Ok(()) => written += 20,
                Err(StoreError::DiskFull(_)) => rejected += 1,
                Err(error) => panic!("{error:?}"),
            }
            let started = keys.begin(&request(round * ATTEMPTS + number)).await;
            assert!(matches!(started, Ok(_) | Err(StoreError::DiskFull(_))), "{started:?}");
        }
        assert!(rejected > 0, "the disk is full");
        // A fresh readiness result is cached for a second.
        let full =
            testkit::eventually("readiness to report the full disk", std::time::Duration::from_secs(30), || async {
                db.ping().await.err()
            });
        assert!(matches!(full.await, StoreError::DiskFull(_)));
        assert_eq!(
            db.outbox().state(START).await.unwrap().pending,
            written,
            "the store is readable, and nothing was written partially"
        );
        disk.free();
        db.ping().await.unwrap();
        let started = keys.begin(&request(usize::MAX - round)).await.unwrap();
        assert!(matches!(started, Acquire::Acquired(_)), "{started:?}");
    }
    assert!(commit(&db, &many_effects(1)).await.is_ok());
}

#[tokio::test]
async fn bus_recovers_from_a_full_disk() {
    let Some(disk) = Disk::new(2048) else { return };
    let clock = ManualClock::at(START);
    let bus = SqliteBus::open(&disk.path().join("bus.db"), clock.shared()).await.unwrap();
    bus.declare(EXCHANGES, QUEUES).await.unwrap();
    let sent = message(EventType::OrderCancelled);
    bus.publish(std::slice::from_ref(&sent)).await.unwrap().remove(0).unwrap();
    let mut queue = bus.subscribe(PAYMENT_ORDERS.name, 1).await.unwrap();
    let held = queue.next().await.unwrap();
    disk.fill();
    let mut rejected = 0;
    for _ in 0..ATTEMPTS {
        match bus.publish(&vec![message(EventType::OrderUpdated); 20]).await {
            Ok(_) => {}
            Err(BusError::Unavailable(_)) => rejected += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(rejected > 0, "the disk is full");
    disk.free();
    bus.ping().await.unwrap();
    held.ack().await.unwrap();
    let again = message(EventType::OrderCancelled);
    bus.publish(std::slice::from_ref(&again)).await.unwrap().remove(0).unwrap();
    let next = queue.next().await.unwrap();
    assert_eq!(next.message, again);
    next.ack().await.unwrap();
    queue.close().await.unwrap();
}
