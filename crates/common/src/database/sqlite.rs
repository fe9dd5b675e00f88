//! A SQLite file as a service's own store: one writer, several readers, and the outbox beside the data.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, SqlitePool};
use tokio::sync::Notify;

use crate::database::effects::Effects;
use crate::database::failpoints as crash;
use crate::database::idempotency::sqlite::SqliteKeys;
use crate::database::idempotency::{self, Keys};
use crate::database::outbox::Outbox;
use crate::database::outbox::sqlite::{SCHEMA, SqliteOutbox, write_effects};
use crate::database::private_files as private;
use crate::database::revocations::sqlite::SqliteRevocations;
use crate::database::revocations::{self, RevocationStore};
use crate::database::schema;
pub use crate::database::store::parse_col;
use crate::database::store::{Operations, Pool, StoreError, sqlite_code};
use crate::telemetry::clock::SharedClock;
use crate::telemetry::metrics::Metrics;

pub(crate) mod codec;
mod probe;

use codec::BEGIN;
pub use codec::{from_ms, ms};
pub(crate) use probe::WriterProbe;

/// A transaction that writes.
pub type SqliteTx = sqlx::Transaction<'static, sqlx::Sqlite>;

/// Connections that read; each is a thread.
const READERS: u32 = 3;
/// How long a caller waits for a connection, and SQLite for another process's lock.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes that the write-ahead log may keep once it has been copied into the file.
const LOG_SIZE: &str = "67108864";

/// A service's SQLite file. Clones share its connections.
#[derive(Clone)]
pub struct Sqlite {
    read: Pool<sqlx::Sqlite>,
    write: Pool<sqlx::Sqlite>,
    probe: Arc<WriterProbe>,
    service: &'static str,
    wake: Arc<Notify>,
}

impl Sqlite {
    /// Opens the file, which is made if there is none, and brings its tables up to date.
    ///
    /// Writes are durable when they are answered (`synchronous=FULL`). All writes of this process go through one
    /// connection, so that they wait for each other in a fair queue and not by SQLite's polling.
    ///
    /// # Errors
    /// If the file cannot be opened or a migration fails; [`StoreError::Incompatible`] if this binary is too old for it.
    pub async fn open(path: &Path, service: &'static str, migrations: &Migrator) -> Result<Self, StoreError> {
        let (read, write) = pools(path).await?;
        let known = [(schema::STORE, schema::newest(migrations)), (schema::PLATFORM, schema::PLATFORM_VERSION)];
        check_schema(&write, &known).await?;
        sqlx::raw_sql(SCHEMA).execute(&write).await?;
        sqlx::raw_sql(idempotency::sqlite::SCHEMA).execute(&write).await?;
        idempotency::sqlite::add_columns(&write).await?;
        sqlx::raw_sql(revocations::sqlite::SCHEMA).execute(&write).await?;
        schema::tolerant(migrations).run(&write).await.map_err(|error| StoreError::Fault(error.into()))?;
        let probe = Arc::new(WriterProbe::new(path));
        Ok(Self { read: read.into(), write: write.into(), probe, service, wake: Arc::default() })
    }

    /// Shows in `metrics` how its connections fare; what its ports do is measured by what this gives.
    #[must_use]
    pub fn observe(&self, metrics: &Metrics) -> Operations {
        Pool::observe(vec![self.read.clone(), self.write.clone()], metrics);
        Operations::new(self.service, "sqlite", metrics)
    }

    /// For statements that only read; they see what was committed before.
    #[must_use]
    pub const fn reader(&self) -> &Pool<sqlx::Sqlite> {
        &self.read
    }

    /// Begins a transaction that writes (`BEGIN IMMEDIATE`: it never has to be upgraded, so it never fails for that).
    ///
    /// # Errors
    /// If another process holds the file for longer than five seconds.
    pub async fn begin(&self) -> Result<SqliteTx, StoreError> {
        Ok(self.write.begin_with(BEGIN).await?)
    }

    /// Writes the effects and commits: all of it or nothing. Wakes the relay if there is something to publish.
    ///
    /// # Errors
    /// [`StoreError::AlreadyHandled`] if the message was handled before, [`StoreError::OutcomeUnknown`] if the commit
    /// itself failed.
    pub async fn commit(&self, mut tx: SqliteTx, effects: &Effects) -> Result<(), StoreError> {
        write_effects(&mut tx, self.service, effects).await?;
        crash::hit("before-commit", || crash::describe_effects(self.service, effects));
        tx.commit().await.map_err(commit_error)?;
        crash::hit("after-commit", || crash::describe_effects(self.service, effects));
        if !effects.events.is_empty() {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// The events of this file that wait to be published.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        Outbox::new(Arc::new(SqliteOutbox::new(self.read.clone(), self.write.clone())), self.wake.clone())
    }

    /// The idempotency keys in this file.
    #[must_use]
    pub fn keys(&self, clock: SharedClock) -> Keys {
        Keys::new(Arc::new(SqliteKeys::new(self.write.clone())), clock)
    }

    /// Returns the store of revocations in this file.
    #[must_use]
    pub fn revocation_store(&self) -> Arc<dyn RevocationStore> {
        Arc::new(SqliteRevocations::new(self.read.clone(), self.write.clone()))
    }

    /// Whether the file can be read and written.
    ///
    /// # Errors
    /// If not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1 FROM outbox LIMIT 1").fetch_optional(&mut *self.read.acquire().await?).await?;
        self.probe.run(&self.write).await
    }

    /// Closes all connections, once what they do is done.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

/// Opens a file for several readers and one writer.
pub(crate) async fn pools(path: &Path) -> Result<(SqlitePool, SqlitePool), StoreError> {
    private::database(path).map_err(|error| StoreError::Unavailable(error.into()))?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // What is deleted is overwritten, not only forgotten.
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

/// Validator that a binary that knows these versions of these components may use the file.
pub(crate) async fn check_schema(write: &SqlitePool, known: &[(&str, i64)]) -> Result<(), StoreError> {
    sqlx::raw_sql(schema::TABLE).execute(write).await?;
    sqlx::raw_sql(probe::TABLE).execute(write).await?;
    let least: Vec<(String, i64)> = sqlx::query_as(schema::LEAST_VERSIONS).fetch_all(write).await?;
    schema::check(least.iter().map(|(component, least)| (component.as_str(), *least)), known)
}

/// A commit that found no room, no memory or the file locked was certainly not done; of any other failure nobody knows.
pub(crate) fn commit_error(error: sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(|refusal| sqlite_code(&refusal.code()?));
    // SQLITE_BUSY, SQLITE_NOMEM, SQLITE_FULL.
    if matches!(code, Some(5 | 7 | 13)) { error.into() } else { StoreError::OutcomeUnknown(error.into()) }
}

/// Begins a transaction that has the file's write lock from the start.
pub(crate) async fn begin(write: &SqlitePool) -> Result<SqliteTx, StoreError> {
    Ok(write.begin_with(BEGIN).await?)
}
