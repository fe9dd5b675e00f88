//! Schemas of a newer version: a binary starts on them unless a migration requires a newer version.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use common::database::Database;
use common::database::outbox::Outbox;
use common::database::store::StoreError;
use common::database::transaction_effects::Effects;
use common::messaging::bus::{Bus, SqliteBus};
use common::runtime::StartError;
use common::telemetry::clock::ManualClock;
use common::telemetry::metrics::Metrics;
use mongodb::bson::{Document, doc};
use secrecy::SecretString;
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, SqliteConnection};
use stripe_sandbox::Config;
use testkit::servers;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use user_service::repository::mongodb::MongoUserRepository;

/// Version of the newest migration in `crates/common/migrations`.
const PLATFORM_VERSION: i64 = 2;
const NOW: DateTime<Utc> = DateTime::from_timestamp(1_700_000_000, 0).unwrap();

/// Expansion of a newer version: it adds tables, columns and migrations.
fn expansion(checksum: &str) -> String {
    format!(
        "CREATE TABLE added_later (id BIGINT PRIMARY KEY);
         ALTER TABLE outbox ADD COLUMN added_later TEXT;
         ALTER TABLE idempotency_keys ADD COLUMN added_later TEXT;
         ALTER TABLE inbox ADD COLUMN added_later BIGINT NOT NULL DEFAULT 0;
         INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'of the future', TRUE, {checksum}, 0);"
    )
}

/// Contraction of a newer version, once no older version runs.
fn contraction(component: &str) -> String {
    format!(
        "INSERT INTO schema_compatibility (component, least_version) VALUES ('{component}', 9999)
         ON CONFLICT (component) DO UPDATE SET least_version = excluded.least_version"
    )
}

/// Checks for one line that names both versions and the remedy.
fn assert_incompatible(error: StoreError, known: i64) {
    let message = StartError::store(&"the address", error).to_string();
    assert_eq!(message.lines().count(), 1, "{message}");
    for part in ["the address", "version 9999", &format!("version {known}"), "start a newer version"] {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

async fn assert_publishes(outbox: &Outbox, effects: &Effects) {
    let claimed = outbox.store().claim(10, Duration::from_secs(5), NOW).await.unwrap();
    assert_eq!(claimed.len(), effects.events.len());
    assert_eq!(claimed[0].envelope.id, effects.events[0].id);
    outbox.store().mark_published(&[claimed[0].envelope.id]).await.unwrap();
}

fn newest(migrations: &Migrator) -> i64 {
    migrations.iter().map(|migration| migration.version).max().unwrap()
}

async fn raw(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).connect().await.unwrap()
}

/// Opens a store whose schema a newer version left behind. `open` opens it as a service does, `run` executes SQL in it.
async fn starts_on_a_newer_schema(
    migrations: &Migrator,
    checksum: &str,
    open: impl AsyncFn() -> Result<Database, StoreError>,
    mut run: impl AsyncFnMut(String),
) {
    open().await.unwrap().close().await;
    run(expansion(checksum)).await;

    let db = open().await.unwrap();
    let effects = testkit::outbox::many_effects(1);
    db.commit(db.begin().await.unwrap(), &effects).await.unwrap();
    assert_publishes(&db.outbox(), &effects).await;
    db.close().await;

    for (component, known) in [("platform", PLATFORM_VERSION), ("store", newest(migrations))] {
        run(contraction(component)).await;
        assert_incompatible(open().await.err().unwrap(), known);
        run("DELETE FROM schema_compatibility".to_owned()).await;
    }
}

async fn on_sqlite(service: &'static str, migrations: &Migrator) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let open = async || Database::open_sqlite(&path, service, migrations).await;
    let run = async |sql: String| {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut raw(&path).await).await.unwrap();
    };
    starts_on_a_newer_schema(migrations, "X'00'", open, run).await;
}

async fn on_postgres(service: &'static str, migrations: &Migrator) {
    let Some(server) = servers::postgres().await else { return };
    let address = server.database().await.unwrap();
    let url = address.parse().unwrap();
    let open = async || Database::open_postgres(&url, service, migrations).await;
    let run = async |sql: String| {
        let mut connection = PgConnection::connect(&address).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    };
    starts_on_a_newer_schema(migrations, "'\\x00'", open, run).await;
}

#[tokio::test]
async fn services_start_on_a_newer_file() {
    on_sqlite("user-service", &user_service::repository::sqlite::MIGRATIONS).await;
    on_sqlite("product-service", &product_service::repository::sql::MIGRATIONS.sqlite).await;
    on_sqlite("order-service", &order_service::repository::sql::MIGRATIONS.sqlite).await;
    on_sqlite("payment-service", &payment_service::repository::sql::MIGRATIONS.sqlite).await;
}

#[tokio::test]
async fn services_start_on_a_newer_database() {
    on_postgres("product-service", &product_service::repository::sql::MIGRATIONS.postgres).await;
    on_postgres("order-service", &order_service::repository::sql::MIGRATIONS.postgres).await;
    on_postgres("payment-service", &payment_service::repository::sql::MIGRATIONS.postgres).await;
}

#[tokio::test]
async fn user_service_starts_on_newer_documents() {
    let Some(server) = servers::mongodb().await else { return };
    let address = server.database();
    let url = address.parse().unwrap();
    MongoUserRepository::open(&url).await.unwrap();
    let database = mongodb::Client::with_uri_str(&address).await.unwrap().default_database().unwrap();
    let compatibility = database.collection::<Document>("schema_compatibility");
    compatibility.insert_one(doc! { "_id": "store", "least_version": 1 }).await.unwrap();
    MongoUserRepository::open(&url).await.unwrap();
    compatibility.update_one(doc! {}, doc! { "$set": { "least_version": 9999_i64 } }).await.unwrap();
    let error = MongoUserRepository::open(&url).await.err().unwrap();
    let StoreError::Incompatible { known, .. } = error else { panic!("{error}") };
    assert_incompatible(error, known);
}

#[tokio::test]
async fn bus_starts_on_a_newer_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bus.db");
    let clock = ManualClock::at(NOW);
    let open = || async { SqliteBus::open(&path, clock.shared()).await };
    drop(open().await.unwrap());
    let mut newer = raw(&path).await;
    let expansion =
        "ALTER TABLE messages ADD COLUMN added_later TEXT; ALTER TABLE bindings ADD COLUMN added_later TEXT;
        ALTER TABLE dead_letters ADD COLUMN added_later TEXT";
    sqlx::raw_sql(expansion).execute(&mut newer).await.unwrap();
    let bus = Bus::new(Arc::new(open().await.unwrap()), &Metrics::new()).await.unwrap();
    bus.publish(&[testkit::bus::message(contracts::EventType::OrderCancelled)]).await.unwrap().remove(0).unwrap();
    drop(bus);
    sqlx::raw_sql(sqlx::AssertSqlSafe(contraction("bus"))).execute(&mut newer).await.unwrap();
    let message = common::error_chain(&open().await.err().unwrap());
    assert!(message.contains("version 9999") && message.contains("version 1"), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
}

#[tokio::test]
async fn sandbox_starts_on_a_newer_ledger() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("stripe.db");
    let config = Config {
        database: database.clone(),
        secret_key: SecretString::from("sk_test_schema"),
        webhook_secret: SecretString::from("whsec_schema"),
        webhook_url: None,
        payment_method_types: vec!["card".to_owned()],
        hosted_url: "http://127.0.0.1:3010".to_owned(),
        shop_urls: Vec::new(),
    };
    // The sandbox opens its ledger and exits at once.
    let run = || async {
        let (listener, ended) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), CancellationToken::new());
        ended.cancel();
        stripe_sandbox::serve(config.clone(), listener, ended).await
    };
    run().await.unwrap();
    let mut newer = raw(&database).await;
    let applied = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (9999, 'of the future', TRUE, X'00', 0)";
    sqlx::raw_sql(applied).execute(&mut newer).await.unwrap();
    run().await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(contraction("ledger"))).execute(&mut newer).await.unwrap();
    let message = run().await.unwrap_err().to_string();
    assert!(message.contains("version 9999") && message.contains("version 2"), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
}
