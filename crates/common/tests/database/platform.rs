//! Outbox, inbox, idempotency keys and revocations.

use std::time::Duration;

use async_trait::async_trait;
use chrono::DateTime;
use common::auth::Revocations;
use common::database::StoreError;
use common::database::idempotency::{IdempotentRequest, RETENTION};
use common::database::mail_queue;
use common::database::outbox::{Outbox, sql};
use common::database::transaction_effects::Effects;
use common::database::{Database, Dialect, query};
use common::telemetry::clock::ManualClock;
use sqlx::{Executor as _, PgPool};
use testkit::query_plans::assert_indexed;
use testkit::{idempotency, outbox, revocations, servers};

use crate::support::{Fixture, SERVICE, fixtures, migrator};

#[async_trait]
impl outbox::Fixture for Fixture {
    async fn commit(&self, effects: &Effects) -> Result<(), StoreError> {
        self.db.commit(self.db.begin().await?, effects).await
    }

    fn outbox(&self) -> Outbox {
        self.db.outbox()
    }
}

impl revocations::Fixture for Fixture {
    fn revocations(&self, clock: &ManualClock) -> Revocations {
        self.db.revocations(clock.shared())
    }
}

#[tokio::test]
async fn outbox_passes_its_conformance_suite() {
    for fixture in fixtures().await {
        outbox::suite(&fixture).await;
    }
}

#[tokio::test]
async fn idempotency_keys_pass_their_conformance_suite() {
    for fixture in fixtures().await {
        let clock = ManualClock::at(idempotency::START);
        idempotency::suite(&fixture, &fixture.db.keys(clock.shared()), &clock).await;
    }
}

#[tokio::test]
async fn revocations_pass_their_conformance_suite() {
    for fixture in fixtures().await {
        revocations::suite(&fixture, &ManualClock::at(revocations::START)).await;
    }
}

#[tokio::test]
async fn expired_keys_are_deleted_by_and_by() {
    for fixture in fixtures().await {
        let clock = ManualClock::at(idempotency::START);
        let keys = fixture.db.keys(clock.shared());
        let acquire = async |key: String| {
            let (caller, fingerprint) = ("ann".to_owned(), "2:any".to_owned());
            keys.begin(&IdempotentRequest { caller, key, hash: [0; 32], fingerprint }).await.unwrap()
        };
        for number in 0..20 {
            acquire(format!("old {number}")).await;
        }
        clock.advance(RETENTION);
        for number in 0..1000 {
            acquire(format!("new {number}")).await;
            let old = query("SELECT count(*) FROM idempotency_keys WHERE created_at = $1").bind(idempotency::START);
            if old.fetch_scalar::<i64>(&mut fixture.db.reader().await.unwrap()).await.unwrap() == 0 {
                break;
            }
            assert!(number < 999, "no key of 1000 swept");
        }
    }
}

#[tokio::test]
async fn dropped_transaction_leaves_no_event() {
    for fixture in fixtures().await {
        drop(fixture.db.begin().await.unwrap());
        assert_eq!(fixture.db.outbox().state(DateTime::UNIX_EPOCH).await.unwrap().pending, 0);
    }
}

#[tokio::test]
async fn writers_wait_for_each_other() {
    for fixture in fixtures().await {
        let writers = (0..50).map(|_| {
            let db = fixture.db.clone();
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
}

/// Polls a future for a number of turns and drops it then.
async fn cancel(begin: impl Future, turns: usize) {
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
async fn cancelled_begin_takes_no_other_statement_into_its_transaction() {
    for fixture in fixtures().await {
        let db = &fixture.db;
        for number in 1..=100 {
            let turns = usize::try_from(number % 10).unwrap();
            cancel(db.begin(), turns).await;
            cancel(db.snapshot(), turns).await;
            query("INSERT INTO numbered (name) VALUES ('x')").execute(&mut db.writer().await.unwrap()).await.unwrap();
            let count = query("SELECT count(*) FROM numbered");
            let kept: i64 = count.fetch_scalar(&mut db.reader().await.unwrap()).await.unwrap();
            assert_eq!(kept, number, "the row is in a transaction that nobody ends");
        }
    }
}

#[tokio::test]
async fn relay_finds_its_rows_by_an_index() {
    let Some(server) = servers::postgres().await else { return };
    let url = server.database().await.unwrap();
    let db = Database::open_postgres(&url.parse().unwrap(), SERVICE, &migrator("SELECT 1")).await.unwrap();
    let pool = PgPool::connect(&url).await.unwrap();
    let filled = "INSERT INTO outbox (id, event_type, schema_version, aggregate_id, sequence, service, at, data)
         SELECT gen_random_uuid(), 'order.updated', 1, n::text, 1, 'order-service', now(), '{}'
         FROM generate_series(1, 100000) n";
    pool.execute(filled).await.unwrap();
    pool.execute("ANALYZE outbox").await.unwrap();
    let [claim, published, failed] =
        [&sql::CLAIM, &sql::PUBLISHED, &sql::FAILED].map(|statement| statement.text(Dialect::POSTGRES));
    for statement in [claim, published, failed] {
        assert_indexed(&pool, statement, &["outbox"]).await;
    }
    db.close().await;
}

#[tokio::test]
async fn mail_worker_finds_its_rows_by_an_index() {
    let Some(server) = servers::postgres().await else { return };
    let url = server.database().await.unwrap();
    let db = Database::open_postgres(&url.parse().unwrap(), SERVICE, &migrator("SELECT 1")).await.unwrap();
    let pool = PgPool::connect(&url).await.unwrap();
    let filled = "INSERT INTO mails (id, kind, recipient, payload, created_at, due_at)
         SELECT gen_random_uuid(), 'welcome', n::text, '{}', now(), now() + n * interval '1 second'
         FROM generate_series(1, 100000) n";
    pool.execute(filled).await.unwrap();
    pool.execute("ANALYZE mails").await.unwrap();
    for statement in [mail_queue::sql::CLAIM.text(Dialect::POSTGRES), mail_queue::sql::DUE] {
        assert_indexed(&pool, statement, &["mails"]).await;
    }
    db.close().await;
}

#[tokio::test]
async fn restart_of_the_server_loses_no_event_and_needs_no_restart_of_the_service() {
    let Some(server) = servers::available(servers::Postgres::start().await) else { return };
    let url = server.database().await.unwrap().parse().unwrap();
    let db = Database::open_postgres(&url, SERVICE, &migrator("SELECT 1")).await.unwrap();
    let pending = || async { db.outbox().state(DateTime::UNIX_EPOCH).await };
    let kept = outbox::many_effects(3);
    db.commit(db.begin().await.unwrap(), &kept).await.unwrap();
    server.process.kill().unwrap();
    let error = pending().await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    server.restart().await.unwrap();
    let back =
        testkit::eventually("the pool has new connections", Duration::from_secs(30), || async { pending().await.ok() });
    assert_eq!(usize::try_from(back.await.pending).unwrap(), kept.events.len());
}

#[tokio::test]
async fn events_of_one_transaction_are_visible_to_others_only_after_the_commit() {
    for fixture in fixtures().await {
        let db = &fixture.db;
        let tx = db.begin().await.unwrap();
        let before = db.outbox().state(DateTime::UNIX_EPOCH).await.unwrap().pending;
        db.commit(tx, &outbox::many_effects(2)).await.unwrap();
        let after = db.outbox().state(DateTime::UNIX_EPOCH).await.unwrap().pending;
        assert_eq!((before, after), (0, 2));
    }
}
