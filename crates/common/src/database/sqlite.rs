//! A SQLite file as a service's own store: one writer, several readers, and the outbox beside the data.

use std::path::Path;
use std::sync::Arc;

use sqlx::migrate::Migrator;
use tokio::sync::Notify;

pub use crate::database::codec::{from_millis as from_ms, to_millis as ms};
use crate::database::failpoints as crash;
use crate::database::idempotency::IdempotencyKeys;
use crate::database::idempotency::sqlite::SqliteKeys;
use crate::database::outbox::Outbox;
use crate::database::outbox::sqlite::{SqliteOutbox, write_effects};
use crate::database::revocations::RevocationStore;
use crate::database::revocations::sqlite::SqliteRevocations;
use crate::database::sqlite_file::{self, BEGIN, map_commit_error as commit_error, open_pools};
pub use crate::database::store::parse_col;
use crate::database::store::{Pool, StoreError, StoreMetrics};
use crate::database::transaction_effects::Effects;
use crate::database::writer_probe::WriterProbe;
use crate::telemetry::clock::SharedClock;
use crate::telemetry::metrics::Metrics;

/// A transaction that writes.
pub type SqliteTx = sqlx::Transaction<'static, sqlx::Sqlite>;

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
        let (read, write) = open_pools(path).await?;
        sqlite_file::migrate_service(&write, migrations).await?;
        let probe = Arc::new(WriterProbe::new(path));
        Ok(Self { read: read.into(), write: write.into(), probe, service, wake: Arc::default() })
    }

    /// Shows in `metrics` how its connections fare; what its ports do is measured by what this gives.
    #[must_use]
    pub fn observe(&self, metrics: &Metrics) -> StoreMetrics {
        Pool::observe(vec![self.read.clone(), self.write.clone()], metrics);
        StoreMetrics::new(self.service, "sqlite", metrics)
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
    pub fn keys(&self, clock: SharedClock) -> IdempotencyKeys {
        IdempotencyKeys::new(Arc::new(SqliteKeys::new(self.write.clone())), clock)
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
