//! Ledger on disk: one SQLite file with a single writer.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, Sqlite, SqlitePool, Transaction};

use crate::error::Error;

pub(crate) mod charges;
pub(crate) mod deliveries;
pub(crate) mod events;
pub(crate) mod intents;
pub(crate) mod keys;
pub(crate) mod methods;
pub(crate) mod pages;
pub(crate) mod refunds;

const READERS: u32 = 4;
/// Time that a write waits for another process that locks the file, such as a backup.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Ledger with one connection for writes and a pool for concurrent reads.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    writer: SqlitePool,
    pub(crate) reader: SqlitePool,
}

impl Store {
    /// Opens or creates the file, and migrates it.
    pub(crate) async fn open(file: &Path) -> Result<Self, Error> {
        if let Some(directory) = file.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            tokio::fs::create_dir_all(directory).await?;
        }
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        // After a commit or rollback that failed (a full disk, an I/O error, no memory) SQLite may have ended the
        // transaction by itself while sqlx 0.9.0 still counts it: such a connection is replaced.
        let writer = SqlitePoolOptions::new().max_connections(1).after_release(|connection, _| {
            Box::pin(async move {
                // Waits for the rollback that a transaction starts when it is dropped.
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        });
        let writer = writer.connect_with(options.clone()).await?;
        migrate(&writer).await?;
        let reader = SqlitePoolOptions::new().max_connections(READERS).connect_with(options.read_only(true)).await?;
        Ok(Self { writer, reader })
    }

    /// Begins a write transaction, which excludes others until it is committed or dropped.
    pub(crate) async fn write(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }

    /// Closes all connections, so that the file is complete without its write-ahead log.
    pub(crate) async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

/// Migrates the ledger. A ledger with a newer schema is used unchanged, unless a contracting migration set a version above
/// the newest one here in `schema_compatibility`.
async fn migrate(writer: &SqlitePool) -> Result<(), Error> {
    sqlx::raw_sql(
        "CREATE TABLE IF NOT EXISTS schema_compatibility (component TEXT PRIMARY KEY, least_version BIGINT NOT NULL)",
    )
    .execute(writer)
    .await?;
    let mut migrations = sqlx::migrate!();
    let known = migrations.iter().map(|migration| migration.version).max().unwrap_or(0);
    let least = "SELECT max(least_version) FROM schema_compatibility WHERE component = 'ledger'";
    let least: Option<i64> = sqlx::query_scalar(least).fetch_one(writer).await?;
    if let Some(least) = least.filter(|least| known < *least) {
        return Err(Error::Incompatible { known, least });
    }
    migrations.set_ignore_missing(true).run(writer).await?;
    Ok(())
}

/// Checks that a write changed exactly one row; otherwise an earlier read is outdated.
fn expect_one_row(changed: u64) -> Result<(), sqlx::Error> {
    if changed == 1 { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
}
