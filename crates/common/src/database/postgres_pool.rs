//! Connections to a PostgreSQL database: a pool with limits.

use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgPool};

use super::schema;
use crate::database::store::StoreError;

/// Most connections of a service: what a server with 100 of them can spare for eight instances.
const MAX_CONNECTIONS: u32 = 10;
/// Longest time that a caller waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle time after which a connection is tested before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);
/// Limits that the server enforces, in milliseconds: of a statement, of a wait for a lock, of a transaction whose client
/// hangs.
const LIMITS: [(&str, &str); 3] =
    [("statement_timeout", "5000"), ("lock_timeout", "4000"), ("idle_in_transaction_session_timeout", "10000")];
/// The advisory lock of the server that guards the creation of the platform's tables: a number that nothing else uses.
const SCHEMA_LOCK: i64 = 0x5348_4f50_464c_4545;

/// Statement that begins a transaction that only reads and sees one moment.
pub(crate) const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Connects to a database.
pub(crate) async fn open_pool(options: PgConnectOptions, service: &'static str) -> Result<PgPool, StoreError> {
    let options = options.application_name(service).options(LIMITS);
    let pool = PgPoolOptions::new()
        .max_connections(MAX_CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection, about| {
            Box::pin(async move {
                if about.idle_for > TRUSTED_IDLE { connection.ping().await.map(|()| true) } else { Ok(true) }
            })
        })
        .connect_with(options)
        .await?;
    Ok(pool)
}

/// Checks that this binary may use the database and brings the tables of a service up to date. Several instances may do so
/// at once: they wait for each other by advisory locks.
pub(crate) async fn migrate_service(pool: &PgPool, migrations: &Migrator) -> Result<(), StoreError> {
    let platform = schema::platform_postgres();
    let mut tx = pool.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(SCHEMA_LOCK).execute(&mut *tx).await?;
    sqlx::raw_sql(schema::TABLE).execute(&mut *tx).await?;
    let least: Vec<(String, i64)> = sqlx::query_as(schema::LEAST_VERSIONS).fetch_all(&mut *tx).await?;
    let known = [(schema::STORE, schema::newest(migrations)), (schema::PLATFORM, schema::newest(&platform))];
    schema::check(least.iter().map(|(component, least)| (component.as_str(), *least)), &known)?;
    schema::run(&platform, &mut *tx).await?;
    tx.commit().await?;
    schema::run(&schema::tolerant(migrations), &mut *pool.acquire().await?).await
}

/// Maps the error of a commit. One that the server rejected for a rule was certainly rolled back; the outcome of any
/// other failure is unknown.
pub(crate) fn map_commit_error(error: sqlx::Error) -> StoreError {
    let class = error.as_database_error().and_then(|error| error.code()).map(|code| code[..2].to_owned());
    // Class 23: a constraint. Class 40: rolled back for serialisation or a deadlock.
    if class.is_some_and(|class| class == "23" || class == "40") {
        StoreError::from(error)
    } else {
        StoreError::OutcomeUnknown(error.into())
    }
}
