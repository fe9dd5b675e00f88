//! The outbox suite on PostgreSQL, and what several instances and a restart of the server are to it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

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
use testkit::plans::assert_indexed;
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
async fn postgres_keeps_the_rules_of_an_outbox() {
    let Some(server) = servers::postgres().await else { return };
    suite(&OnPostgres(open(&server.database().await).await)).await;
}

#[tokio::test]
async fn postgres_keeps_the_rules_of_idempotency_keys() {
    let Some(server) = servers::postgres().await else { return };
    let (db, clock) = (open(&server.database().await).await, ManualClock::at(idempotency::START));
    let keys = db.keys(Arc::new(clock.clone()));
    idempotency::suite(&OnPostgres(db), &keys, &clock).await;
}

impl testkit::revocations::Fixture for OnPostgres {
    fn revocations(&self, clock: &ManualClock) -> Revocations {
        self.0.revocations(clock.shared())
    }
}

#[tokio::test]
async fn postgres_keeps_the_rules_of_revocations() {
    let Some(server) = servers::postgres().await else { return };
    let clock = ManualClock::at(testkit::revocations::START);
    testkit::revocations::suite(&OnPostgres(open(&server.database().await).await), &clock).await;
}

/// Lets somebody wait for this for so many turns, and go away.
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
async fn who_goes_away_while_a_transaction_begins_takes_nobody_else_into_it() {
    let Some(server) = servers::postgres().await else { return };
    let url = server.database().await;
    let db = open(&url).await;
    let mut other = PgConnection::connect(&url).await.unwrap();
    other.execute("CREATE TABLE kept (number bigint)").await.unwrap();
    for number in 1..=100 {
        let turns = usize::try_from(number % 10).unwrap();
        give_up(db.begin(), turns).await;
        give_up(db.snapshot(), turns).await;
        let mut next = db.pool().acquire().await.unwrap();
        sqlx::query("INSERT INTO kept VALUES ($1)").bind(number).execute(&mut *next).await.unwrap();
        drop(next);
        let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM kept").fetch_one(&mut other).await.unwrap();
        assert_eq!(kept, number, "what was written is in a transaction that nobody ends");
    }
}

#[tokio::test]
async fn instances_that_start_at_once_wait_for_each_other() {
    let Some(server) = servers::postgres().await else { return };
    let url = server.database().await;
    let starting = (0..6).map(|_| {
        let url = url.clone();
        tokio::spawn(async move { open(&url).await.ping().await })
    });
    for start in starting.collect::<Vec<_>>() {
        start.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn what_is_rolled_back_leaves_no_event() {
    let Some(server) = servers::postgres().await else { return };
    let db = open(&server.database().await).await;
    drop(db.begin().await.unwrap());
    assert_eq!(db.outbox().state(DateTime::UNIX_EPOCH).await.unwrap().pending, 0);
}

#[tokio::test]
async fn a_relay_finds_its_rows_by_an_index() {
    let Some(server) = servers::postgres().await else { return };
    let db = open(&server.database().await).await;
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
async fn a_restart_of_the_server_costs_no_event_and_no_restart_of_ours() {
    let Some(server) = servers::Postgres::start().await else { return };
    let db = OnPostgres(open(&server.database().await).await);
    let pending = || async { db.outbox().state(DateTime::UNIX_EPOCH).await };
    let kept = testkit::outbox::many_effects(3);
    db.commit(&kept).await.unwrap();
    server.process.kill();
    let refused = pending().await.unwrap_err();
    assert!(refused.is_retryable(), "{refused:?}");
    server.restart().await;
    let back =
        testkit::eventually("the pool has new connections", Duration::from_secs(30), || async { pending().await.ok() });
    assert_eq!(usize::try_from(back.await.pending).unwrap(), kept.events.len());
}
