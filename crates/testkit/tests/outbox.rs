//! The outbox suite on a SQLite file.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;

use async_trait::async_trait;
use common::auth::Revocations;
use common::clock::ManualClock;
use common::effects::Effects;
use common::outbox::Outbox;
use common::sqlite::Sqlite;
use common::store::StoreError;
use sqlx::migrate::Migrator;
use testkit::idempotency;
use testkit::outbox::{Fixture, suite};

struct OnSqlite(Sqlite);

#[async_trait]
impl Fixture for OnSqlite {
    async fn commit(&self, effects: &Effects) -> Result<(), StoreError> {
        let tx = self.0.begin().await?;
        self.0.commit(tx, effects).await
    }

    fn outbox(&self) -> Outbox {
        self.0.outbox()
    }
}

async fn open(directory: &tempfile::TempDir) -> Sqlite {
    let none = Migrator::with_migrations(Vec::new());
    Sqlite::open(&directory.path().join("test.db"), "order-service", &none).await.unwrap()
}

#[tokio::test]
async fn sqlite_keeps_the_rules_of_an_outbox() {
    let directory = tempfile::tempdir().unwrap();
    suite(&OnSqlite(open(&directory).await)).await;
}

#[tokio::test]
async fn sqlite_keeps_the_rules_of_idempotency_keys() {
    let directory = tempfile::tempdir().unwrap();
    let (db, clock) = (open(&directory).await, ManualClock::at(idempotency::START));
    let keys = db.keys(Arc::new(clock.clone()));
    idempotency::suite(&OnSqlite(db), &keys, &clock).await;
}

impl testkit::revocations::Fixture for OnSqlite {
    fn revocations(&self, clock: &ManualClock) -> Revocations {
        self.0.revocations(clock.shared())
    }
}

#[tokio::test]
async fn sqlite_keeps_the_rules_of_revocations() {
    let directory = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(testkit::revocations::START);
    testkit::revocations::suite(&OnSqlite(open(&directory).await), &clock).await;
}

#[tokio::test]
async fn what_is_rolled_back_leaves_no_event() {
    let directory = tempfile::tempdir().unwrap();
    let db = open(&directory).await;
    drop(db.begin().await.unwrap());
    assert_eq!(db.outbox().state(chrono::DateTime::UNIX_EPOCH).await.unwrap().pending, 0);
}

#[tokio::test]
async fn writers_wait_for_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let db = open(&directory).await;
    let writers = (0..50).map(|_| {
        let db = db.clone();
        tokio::spawn(async move {
            let tx = db.begin().await.unwrap();
            tokio::task::yield_now().await;
            db.commit(tx, &Effects::none()).await.unwrap();
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}
