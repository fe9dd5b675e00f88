//! Outbox on PostgreSQL: conformance, several instances, and a server restart.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::DateTime;
use common::auth::Revocations;
use common::clock::ManualClock;
use common::effects::Effects;
use common::outbox::Outbox;
use common::outbox::postgres::{CLAIM, PUBLISHED};
use common::postgres::{Postgres, PostgresUrl};
use common::store::StoreError;
use sqlx::migrate::Migrator;
use sqlx::{Connection as _, Executor as _, PgConnection};
use testkit::outbox::{Fixture, suite};
use testkit::query_plans::assert_indexed;
use testkit::{idempotency, servers};

struct OnPostgres(Postgres);

#[async_trait]
impl Fixture for OnPostgres {
    async fn commit(&self, effects: &Effects) -> Result<(), StoreError> {
        let tx = self.0.begin().await?;
        self.0.commit(tx, effects).await
    }

    fn outbox(&self) -> Outbox {
        self.0.outbox()
    }
}

async fn open(url: &str) -> Postgres {
    let url: PostgresUrl = url.parse().unwrap();
    Postgres::open(&url, "order-service", &Migrator::with_migrations(Vec::new())).await.unwrap()
}

#[tokio::test]
async fn postgres_outbox_passes_the_conformance_suite() {
    let Some(server) = servers::postgres().await else { return };
    suite(&OnPostgres(open(&server.database().await.unwrap()).await)).await;
}

#[tokio::test]
async fn postgres_idempotency_keys_pass_the_conformance_suite() {
    let Some(server) = servers::postgres().await else { return };
    let (db, clock) = (open(&server.database().await.unwrap()).await, ManualClock::at(idempotency::START));
    let keys = db.keys(Arc::new(clock.clone()));
    idempotency::suite(&OnPostgres(db), &keys, &clock).await;
}

impl testkit::revocations::Fixture for OnPostgres {
    fn revocations(&self, clock: &ManualClock) -> Revocations {
        self.0.revocations(clock.shared())
    }
}

#[tokio::test]
async fn postgres_revocations_pass_the_conformance_suite() {
    let Some(server) = servers::postgres().await else { return };
    let clock = ManualClock::at(testkit::revocations::START);
    testkit::revocations::suite(&OnPostgres(open(&server.database().await.unwrap()).await), &clock).await;
}

/// Polls a future this many times, then drops it.
async fn give_up(begin: impl Future, turns: usize) {
    let patience = async {
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        _ = begin => {}
        () = patience => {}
    }
}

#[tokio::test]
async fn cancelled_begin_leaks_no_transaction() {
    let Some(server) = servers::postgres().await else { return };
    let url = server.database().await.unwrap();
    let db = open(&url).await;
    let mut other = PgConnection::connect(&url).await.unwrap();
    other.execute("CREATE TABLE rows (number bigint)").await.unwrap();
    for number in 1..=100 {
        let turns = usize::try_from(number % 10).unwrap();
        give_up(db.begin(), turns).await;
        give_up(db.snapshot(), turns).await;
        let mut next = db.pool().acquire().await.unwrap();
        sqlx::query("INSERT INTO rows VALUES ($1)").bind(number).execute(&mut *next).await.unwrap();
        drop(next);
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM rows").fetch_one(&mut other).await.unwrap();
        assert_eq!(rows, number, "the rows are in a leaked transaction");
    }
}

#[tokio::test]
async fn concurrent_migrations_wait_for_each_other() {
    let Some(server) = servers::postgres().await else { return };
    let url = server.database().await.unwrap();
    let starting = (0..6).map(|_| {
        let url = url.clone();
        tokio::spawn(async move { open(&url).await.ping().await })
    });
    for start in starting.collect::<Vec<_>>() {
        start.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn rollback_leaves_no_event() {
    let Some(server) = servers::postgres().await else { return };
    let db = open(&server.database().await.unwrap()).await;
    drop(db.begin().await.unwrap());
    assert_eq!(db.outbox().state(DateTime::UNIX_EPOCH).await.unwrap().pending, 0);
}

#[tokio::test]
async fn relay_finds_its_rows_by_an_index() {
    let Some(server) = servers::postgres().await else { return };
    let db = open(&server.database().await.unwrap()).await;
    let filled = "INSERT INTO outbox (id, event_type, schema_version, aggregate_id, sequence, service, at, data)
         SELECT gen_random_uuid(), 'order.updated', 1, n::text, 1, 'order-service', now(), '{}'
         FROM generate_series(1, 100000) n";
    db.pool().execute(filled).await.unwrap();
    db.pool().execute("ANALYZE outbox").await.unwrap();
    for statement in [CLAIM, PUBLISHED] {
        assert_indexed(db.pool(), statement, &["outbox"]).await;
    }
}

#[tokio::test]
async fn server_restart_loses_no_event() {
    let Some(server) = servers::available(servers::Postgres::start().await) else { return };
    let db = OnPostgres(open(&server.database().await.unwrap()).await);
    let pending = || async { db.outbox().state(DateTime::UNIX_EPOCH).await };
    let effects = testkit::outbox::many_effects(3);
    db.commit(&effects).await.unwrap();
    server.process.kill().unwrap();
    let rejected = pending().await.unwrap_err();
    assert!(rejected.is_retryable(), "{rejected:?}");
    server.restart().await.unwrap();
    let back =
        testkit::eventually("the pool has new connections", Duration::from_secs(30), || async { pending().await.ok() });
    assert_eq!(usize::try_from(back.await.pending).unwrap(), effects.events.len());
}
