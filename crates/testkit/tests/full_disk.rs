//! What a full disk does to SQLite files: changes are refused, nothing is lost, and all goes on once there is room.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;

use common::bus::{BusBackend as _, BusError, SqliteBus};
use common::clock::ManualClock;
use common::effects::Effects;
use common::idempotency::{Begun, FINGERPRINT_SCHEME, KeyedRequest};
use common::sqlite::Sqlite;
use common::store::StoreError;
use contracts::EventType;
use contracts::topology::{EXCHANGES, PAYMENT_ORDERS, QUEUES};
use sqlx::migrate::Migrator;
use testkit::bus::message;
use testkit::disk::Disk;
use testkit::idempotency::START;
use testkit::outbox::many_effects;

/// How often a change is tried: more often than the log has room that is not free.
const TRIES: usize = 200;

async fn open(disk: &Disk) -> Sqlite {
    let none = Migrator::with_migrations(Vec::new());
    Sqlite::open(&disk.path().join("store.db"), "order-service", &none).await.unwrap()
}

async fn commit(db: &Sqlite, effects: &Effects) -> Result<(), StoreError> {
    db.commit(db.begin().await?, effects).await
}

#[tokio::test]
async fn a_store_writes_again_once_there_is_room() {
    let Some(disk) = Disk::new(2048) else { return };
    let (db, clock) = (open(&disk).await, ManualClock::at(START));
    let keys = db.keys(Arc::new(clock.clone()));
    let request = |number: usize| KeyedRequest {
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
        let mut refused = 0;
        for number in 0..TRIES {
            match commit(&db, &many_effects(20)).await {
                Ok(()) => written += 20,
                Err(StoreError::DiskFull(_)) => refused += 1,
                Err(error) => panic!("{error:?}"),
            }
            let begun = keys.begin(&request(round * TRIES + number)).await;
            assert!(matches!(begun, Ok(_) | Err(StoreError::DiskFull(_))), "{begun:?}");
        }
        assert!(refused > 0, "the disk is full");
        // What is fresh stands for a second.
        let full = testkit::eventually("readiness tells", std::time::Duration::from_secs(30), || async {
            db.ping().await.err()
        });
        assert!(matches!(full.await, StoreError::DiskFull(_)));
        assert_eq!(db.outbox().state(START).await.unwrap().pending, written, "it can be read, and no half was written");
        disk.free();
        db.ping().await.unwrap();
        let begun = keys.begin(&request(usize::MAX - round)).await.unwrap();
        assert!(matches!(begun, Begun::Go(_)), "{begun:?}");
    }
    assert!(commit(&db, &many_effects(1)).await.is_ok());
}

#[tokio::test]
async fn a_bus_takes_and_settles_again_once_there_is_room() {
    let Some(disk) = Disk::new(2048) else { return };
    let clock = ManualClock::at(START);
    let bus = SqliteBus::open(&disk.path().join("bus.db"), clock.shared()).await.unwrap();
    bus.declare(EXCHANGES, QUEUES).await.unwrap();
    let sent = message(EventType::OrderCancelled);
    bus.publish(std::slice::from_ref(&sent)).await.unwrap().remove(0).unwrap();
    let mut queue = bus.subscribe(PAYMENT_ORDERS.name, 1).await.unwrap();
    let held = queue.next().await.unwrap();
    disk.fill();
    let mut refused = 0;
    for _ in 0..TRIES {
        match bus.publish(&vec![message(EventType::OrderUpdated); 20]).await {
            Ok(_) => {}
            Err(BusError::Unavailable(_)) => refused += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(refused > 0, "the disk is full");
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
