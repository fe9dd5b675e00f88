//! A PostgreSQL database as a service's own store: a pool with limits, and the outbox beside the data.

use std::sync::Arc;

use sqlx::migrate::Migrator;
use tokio::sync::Notify;

pub use crate::config::urls::PostgresUrl;
use crate::database::failpoints as crash;
use crate::database::idempotency::IdempotencyKeys;
use crate::database::idempotency::postgres::PostgresKeys;
use crate::database::outbox::Outbox;
use crate::database::outbox::postgres::{PostgresOutbox, write_effects};
use crate::database::postgres_pool;
use crate::database::revocations::RevocationStore;
use crate::database::revocations::postgres::PostgresRevocations;
use crate::database::store::{Pool, StoreError, StoreMetrics};
use crate::database::transaction_effects::Effects;
use crate::telemetry::clock::SharedClock;
use crate::telemetry::metrics::Metrics;

/// A transaction.
pub type PostgresTx = sqlx::Transaction<'static, sqlx::Postgres>;

/// A service's PostgreSQL database. Clones share its connections.
#[derive(Clone)]
pub struct Postgres {
    pool: Pool<sqlx::Postgres>,
    service: &'static str,
    wake: Arc<Notify>,
}

impl Postgres {
    /// Connects and brings the tables up to date. Several instances may do so at once: they wait for each other by
    /// advisory locks.
    ///
    /// # Errors
    /// If the server does not answer within five seconds, refuses, or a migration fails; [`StoreError::Incompatible`] if
    /// this binary is too old for the database.
    pub async fn open(url: &PostgresUrl, service: &'static str, migrations: &Migrator) -> Result<Self, StoreError> {
        let pool = postgres_pool::open_pool((*url.0).clone(), service).await?;
        postgres_pool::migrate_service(&pool, migrations).await?;
        Ok(Self { pool: pool.into(), service, wake: Arc::default() })
    }

    /// Shows in `metrics` how its connections fare; what its ports do is measured by what this gives.
    #[must_use]
    pub fn observe(&self, metrics: &Metrics) -> StoreMetrics {
        Pool::observe(vec![self.pool.clone()], metrics);
        StoreMetrics::new(self.service, "postgresql", metrics)
    }

    /// For single statements that only read; they see what was committed before.
    #[must_use]
    pub const fn pool(&self) -> &Pool<sqlx::Postgres> {
        &self.pool
    }

    /// Begins a transaction that writes (`READ COMMITTED`: each statement sees what was committed before it, so a row
    /// that was locked is read as it is then).
    ///
    /// # Errors
    /// If no connection can be had.
    pub async fn begin(&self) -> Result<PostgresTx, StoreError> {
        Ok(self.pool.begin().await?)
    }

    /// Begins a transaction that only reads, and sees one moment.
    ///
    /// # Errors
    /// If no connection can be had.
    pub async fn snapshot(&self) -> Result<PostgresTx, StoreError> {
        Ok(self.pool.begin_with(postgres_pool::SNAPSHOT).await?)
    }

    /// Writes the effects and commits: all of it or nothing. Wakes the relay if there is something to publish.
    ///
    /// # Errors
    /// [`StoreError::AlreadyHandled`] if the message was handled before, [`StoreError::OutcomeUnknown`] if the
    /// connection was lost during the commit.
    pub async fn commit(&self, mut tx: PostgresTx, effects: &Effects) -> Result<(), StoreError> {
        write_effects(&mut tx, self.service, effects).await?;
        crash::hit("before-commit", || crash::describe_effects(self.service, effects));
        tx.commit().await.map_err(postgres_pool::map_commit_error)?;
        crash::hit("after-commit", || crash::describe_effects(self.service, effects));
        if !effects.events.is_empty() {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// The events of this database that wait to be published.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        Outbox::new(Arc::new(PostgresOutbox::new(self.pool.clone())), self.wake.clone())
    }

    /// The idempotency keys in this database.
    #[must_use]
    pub fn keys(&self, clock: SharedClock) -> IdempotencyKeys {
        IdempotencyKeys::new(Arc::new(PostgresKeys::new(self.pool.clone())), clock)
    }

    /// Returns the store of revocations in this database.
    #[must_use]
    pub fn revocation_store(&self) -> Arc<dyn RevocationStore> {
        Arc::new(PostgresRevocations::new(self.pool.clone()))
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// If not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1 FROM outbox LIMIT 1").fetch_optional(&mut *self.pool.acquire().await?).await?;
        Ok(())
    }

    /// Closes all connections, once what they do is done.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

pub use crate::database::lease_end::lease_end;
pub use crate::database::store::parse_col;

/// The constraint that was broken under the name that the port gives it, where PostgreSQL's own names differ: pairs of
/// PostgreSQL's name and the port's.
#[must_use]
pub fn renamed(error: sqlx::Error, names: &[(&str, &str)]) -> StoreError {
    match StoreError::from(error) {
        StoreError::Unique { constraint } => {
            let known = names.iter().find(|(own, _)| *own == constraint);
            StoreError::Unique { constraint: known.map_or(constraint, |(_, name)| (*name).to_owned()) }
        }
        other => other,
    }
}
