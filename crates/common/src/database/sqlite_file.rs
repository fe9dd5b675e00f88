//! Connections to a SQLite file: one writer, several readers.

use std::path::Path;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, SqliteConnection, SqlitePool};

use super::{schema, writer_probe};
use crate::database::private_files as private;
use crate::database::store::{StoreError, sqlite_code};

/// Number of connections that read. Each is a thread.
const READERS: u32 = 3;
/// Longest time that a caller waits for a connection, and SQLite for another process's lock.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes that the write-ahead log may keep once it has been copied into the file.
const LOG_SIZE: &str = "67108864";

/// Statement that begins a transaction with the write lock. The transaction never has to be upgraded, so that it never
/// fails for that.
pub(crate) const BEGIN: &str = "BEGIN IMMEDIATE";

/// Transaction of the writer.
pub(crate) type SqliteTx = sqlx::Transaction<'static, sqlx::Sqlite>;

/// Opens a file for several readers and one writer. The file is created if there is none.
///
/// Writes are durable when they are reported as done (`synchronous=FULL`). All writes of this process go through one
/// connection, so that they wait for each other in a fair queue and not by SQLite's polling.
pub(crate) async fn open_pools(path: &Path) -> Result<(SqlitePool, SqlitePool), StoreError> {
    private::database(path).map_err(|error| StoreError::Unavailable(error.into()))?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // Deleted data is overwritten, not only released.
        .pragma("secure_delete", "ON")
        .pragma("journal_size_limit", LOG_SIZE)
        .busy_timeout(ACQUIRE_TIMEOUT);
    let pool = || SqlitePoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT).idle_timeout(None).max_lifetime(None);
    // After a commit or rollback that failed (a full disk, an I/O error, no memory) SQLite may have ended the transaction
    // by itself while sqlx 0.9.0 still counts it: nothing could begin on that connection any more. It is replaced.
    let write = pool()
        .after_release(|connection, _| {
            Box::pin(async move {
                // Waits for the rollback that a transaction starts when it is dropped.
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        })
        .max_connections(1)
        .min_connections(1)
        .connect_with(options.clone())
        .await?;
    let read = pool().max_connections(READERS).connect_with(options.read_only(true)).await?;
    Ok((read, write))
}

/// Begins a transaction with the write lock.
pub(crate) async fn begin(write: &SqlitePool) -> Result<SqliteTx, StoreError> {
    Ok(write.begin_with(BEGIN).await?)
}

/// Checks that this binary may use the file and brings the tables of a service up to date, all or nothing. Several
/// processes may do so at once: they wait for each other by the write lock.
pub(crate) async fn migrate_service(write: &SqlitePool, migrations: &Migrator) -> Result<(), StoreError> {
    let platform = schema::platform_sqlite();
    let known = [(schema::STORE, schema::newest(migrations)), (schema::PLATFORM, schema::newest(&platform))];
    let mut tx = begin(write).await?;
    check_schema(&mut tx, &known).await?;
    add_fingerprints(&mut tx).await?;
    schema::run(&platform, &mut *tx).await?;
    schema::run(&schema::tolerant(migrations), &mut *tx).await?;
    tx.commit().await.map_err(map_commit_error)
}

/// Checks that this binary may use the file and brings the tables of a bus up to date, all or nothing.
pub(crate) async fn migrate_bus(write: &SqlitePool) -> Result<(), StoreError> {
    let migrations = schema::bus();
    let mut tx = begin(write).await?;
    check_schema(&mut tx, &[(schema::BUS, schema::newest(&migrations))]).await?;
    schema::run(&migrations, &mut *tx).await?;
    tx.commit().await.map_err(map_commit_error)
}

/// Checks that a binary that knows these versions of these components may use the file.
async fn check_schema(connection: &mut SqliteConnection, known: &[(&str, i64)]) -> Result<(), StoreError> {
    sqlx::raw_sql(schema::TABLE).execute(&mut *connection).await?;
    sqlx::raw_sql(writer_probe::TABLE).execute(&mut *connection).await?;
    let least: Vec<(String, i64)> = sqlx::query_as(schema::LEAST_VERSIONS).fetch_all(connection).await?;
    schema::check(least.iter().map(|(component, least)| (component.as_str(), *least)), known)
}

/// Adds the column `fingerprint` to keys of a version that had none: SQLite adds no column conditionally, so that no
/// migration can.
async fn add_fingerprints(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info('idempotency_keys')")
        .fetch_all(&mut *connection)
        .await?;
    if !columns.is_empty() && !columns.iter().any(|name| name == "fingerprint") {
        sqlx::query("ALTER TABLE idempotency_keys ADD COLUMN fingerprint TEXT").execute(connection).await?;
    }
    Ok(())
}

/// Maps the error of a commit. One that found no room, no memory or the file locked was certainly not done; the
/// outcome of any other failure is unknown.
pub(crate) fn map_commit_error(error: sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(|error| sqlite_code(&error.code()?));
    // SQLITE_BUSY, SQLITE_NOMEM, SQLITE_FULL.
    if matches!(code, Some(5 | 7 | 13)) { error.into() } else { StoreError::OutcomeUnknown(error.into()) }
}
