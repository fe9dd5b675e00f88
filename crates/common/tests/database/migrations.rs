//! Opening of databases: migrations, earlier versions, several instances.

use chrono::DateTime;
use common::database::Database;
use common::database::StoreError;
use common::database::idempotency::{Acquire, IdempotentRequest};
use common::telemetry::clock::ManualClock;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Executor as _};
use testkit::servers;

use crate::support::{SERVICE, migrator};

/// Table and row as versions before fingerprints wrote them.
const BEFORE_FINGERPRINTS: &str = "
    CREATE TABLE idempotency_keys (
        caller TEXT NOT NULL, key TEXT NOT NULL, hash BLOB NOT NULL, token TEXT NOT NULL,
        lease_until INTEGER NOT NULL, resource TEXT, status INTEGER, location TEXT, body TEXT,
        created_at INTEGER NOT NULL, PRIMARY KEY (caller, key)
    ) WITHOUT ROWID;
    INSERT INTO idempotency_keys VALUES
        ('ann', 'k', x'0101010101010101010101010101010101010101010101010101010101010101', 't', 5000, NULL, NULL, NULL, NULL, 1000);";

/// Tables as the version before migrations of the platform made them, with a row.
const BEFORE_MIGRATIONS: &str = "
    CREATE TABLE outbox (
        seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id UUID NOT NULL UNIQUE, event_type TEXT NOT NULL,
        schema_version INTEGER NOT NULL, aggregate_id TEXT NOT NULL, sequence BIGINT NOT NULL, service TEXT NOT NULL,
        at TIMESTAMPTZ NOT NULL, data TEXT NOT NULL, traceparent TEXT, claimed_until TIMESTAMPTZ NOT NULL DEFAULT '-infinity'
    );
    INSERT INTO outbox (id, event_type, schema_version, aggregate_id, sequence, service, at, data)
    VALUES (gen_random_uuid(), 'order.updated', 1, 'a', 1, 'order-service', now(), '{}');";

#[tokio::test]
async fn key_of_a_version_before_fingerprints_is_compared_by_its_hash() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    connection.execute(BEFORE_FINGERPRINTS).await.unwrap();
    connection.close().await.unwrap();
    let clock = ManualClock::at(DateTime::from_timestamp_millis(2000).unwrap());
    for _ in 0..2 {
        let db = Database::open_sqlite(&path, SERVICE, &migrator("SELECT 1")).await.unwrap();
        let keys = db.keys(clock.shared());
        for (hash, expected) in [(1, Acquire::InProgress), (2, Acquire::KeyReused)] {
            let (caller, key) = ("ann".to_owned(), "k".to_owned());
            let request = IdempotentRequest { caller, key, hash: [hash; 32], fingerprint: "2:any".to_owned() };
            assert_eq!(keys.begin(&request).await.unwrap(), expected);
        }
        db.close().await;
    }
}

#[tokio::test]
async fn tables_of_the_version_before_migrations_are_taken_over() {
    let Some(server) = servers::postgres().await else { return };
    let url = server.database().await.unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    connection.execute(BEFORE_MIGRATIONS).await.unwrap();
    for _ in 0..2 {
        let db = Database::open_postgres(&url.parse().unwrap(), SERVICE, &migrator("SELECT 1")).await.unwrap();
        assert_eq!(db.outbox().state(DateTime::UNIX_EPOCH).await.unwrap().pending, 1);
        db.ping().await.unwrap();
        db.close().await;
    }
    let applied: i64 =
        sqlx::query_scalar("SELECT count(*) FROM _platform_migrations").fetch_one(&mut connection).await.unwrap();
    assert_eq!(applied, 2);
}

#[tokio::test]
async fn instances_that_start_at_once_wait_for_each_other() {
    let Some(server) = servers::postgres().await else { return };
    let url = server.database().await.unwrap();
    let starting = (0..6).map(|_| {
        let url = url.parse().unwrap();
        tokio::spawn(async move {
            Database::open_postgres(&url, SERVICE, &migrator("CREATE TABLE once (id BIGINT)")).await?.ping().await
        })
    });
    for start in starting.collect::<Vec<_>>() {
        start.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn sqlite_files_are_migrated_once_by_many_instances() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("started.db");
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true)
        .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal);
    SqliteConnection::connect_with(&options).await.unwrap().close().await.unwrap();
    let starting = (0..6).map(|_| {
        let path = path.clone();
        tokio::spawn(async move {
            Database::open_sqlite(&path, SERVICE, &migrator("CREATE TABLE once (id INTEGER)")).await?.ping().await
        })
    });
    for start in starting.collect::<Vec<_>>() {
        start.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn binary_that_is_too_old_for_the_schema_is_rejected() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("newer.db");
    let open = || async { Database::open_sqlite(&path, SERVICE, &migrator("SELECT 1")).await };
    let raise = |component: &'static str| {
        let path = path.clone();
        async move {
            let options = SqliteConnectOptions::new().filename(&path);
            let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
            let raise = "INSERT INTO schema_compatibility (component, least_version) VALUES (?, 3)";
            sqlx::query(raise).bind(component).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
    };
    open().await.unwrap().close().await;
    raise("unknown").await;
    open().await.unwrap().close().await;
    raise("platform").await;
    let error = open().await.unwrap_err();
    assert!(matches!(&error, StoreError::Incompatible { component, known: 2, least: 3 } if component == "platform"));
}
