//! A PostgreSQL database as a service's own store: a pool with limits, and the outbox beside the data.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgPoolOptions;
use tokio::sync::Notify;

pub use crate::config::urls::PostgresUrl;
use crate::database::effects::Effects;
use crate::database::failpoints as crash;
use crate::database::idempotency::postgres::PostgresKeys;
use crate::database::idempotency::{self, Keys};
use crate::database::outbox::Outbox;
use crate::database::outbox::postgres::{PostgresOutbox, SCHEMA, write_effects};
use crate::database::revocations::postgres::PostgresRevocations;
use crate::database::revocations::{self, RevocationStore};
use crate::database::schema;
use crate::database::store::{Operations, Pool, StoreError};
use crate::telemetry::clock::SharedClock;
use crate::telemetry::metrics::Metrics;

/// A transaction.
pub type PostgresTx = sqlx::Transaction<'static, sqlx::Postgres>;

/// Connections that a service holds at the most: what a server with 100 of them can spare for eight instances.
const CONNECTIONS: u32 = 10;
/// How long a caller waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that lay idle for longer is tried before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);
/// What the server itself ends, in milliseconds: a statement, a wait for a lock, a transaction whose client hangs.
const LIMITS: [(&str, &str); 3] =
    [("statement_timeout", "5000"), ("lock_timeout", "4000"), ("idle_in_transaction_session_timeout", "10000")];
/// Which of the server's advisory locks guards the making of the common tables: any number that nobody else uses.
const SCHEMA_LOCK: i64 = 0x5348_4f50_464c_4545;

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
        let options = (*url.0).clone().application_name(service).options(LIMITS);
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .before_acquire(|connection, about| {
                Box::pin(async move {
                    if about.idle_for > TRUSTED_IDLE { connection.ping().await.map(|()| true) } else { Ok(true) }
                })
            })
            .connect_with(options)
            .await?;
        let mut tx = pool.begin().await?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(SCHEMA_LOCK).execute(&mut *tx).await?;
        sqlx::raw_sql(schema::TABLE).execute(&mut *tx).await?;
        let least: Vec<(String, i64)> = sqlx::query_as(schema::LEAST_VERSIONS).fetch_all(&mut *tx).await?;
        let known = [(schema::STORE, schema::newest(migrations)), (schema::PLATFORM, schema::PLATFORM_VERSION)];
        schema::check(least.iter().map(|(component, least)| (component.as_str(), *least)), &known)?;
        sqlx::raw_sql(SCHEMA).execute(&mut *tx).await?;
        sqlx::raw_sql(idempotency::postgres::SCHEMA).execute(&mut *tx).await?;
        sqlx::raw_sql(revocations::postgres::SCHEMA).execute(&mut *tx).await?;
        tx.commit().await?;
        schema::tolerant(migrations).run(&pool).await.map_err(|error| StoreError::Fault(error.into()))?;
        Ok(Self { pool: pool.into(), service, wake: Arc::default() })
    }

    /// Shows in `metrics` how its connections fare; what its ports do is measured by what this gives.
    #[must_use]
    pub fn observe(&self, metrics: &Metrics) -> Operations {
        Pool::observe(vec![self.pool.clone()], metrics);
        Operations::new(self.service, "postgresql", metrics)
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
        Ok(self.pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?)
    }

    /// Writes the effects and commits: all of it or nothing. Wakes the relay if there is something to publish.
    ///
    /// # Errors
    /// [`StoreError::AlreadyHandled`] if the message was handled before, [`StoreError::OutcomeUnknown`] if the
    /// connection was lost during the commit.
    pub async fn commit(&self, mut tx: PostgresTx, effects: &Effects) -> Result<(), StoreError> {
        write_effects(&mut tx, self.service, effects).await?;
        crash::hit("before-commit", || crash::describe_effects(self.service, effects));
        tx.commit().await.map_err(unless_refused)?;
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
    pub fn keys(&self, clock: SharedClock) -> Keys {
        Keys::new(Arc::new(PostgresKeys::new(self.pool.clone())), clock)
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

/// A commit that the server refused for a rule was certainly rolled back; of any other failure nobody knows.
fn unless_refused(error: sqlx::Error) -> StoreError {
    let class = error.as_database_error().and_then(|refusal| refusal.code()).map(|code| code[..2].to_owned());
    // Class 23: a constraint. Class 40: rolled back for serialisation or a deadlock.
    if class.is_some_and(|class| class == "23" || class == "40") {
        StoreError::from(error)
    } else {
        StoreError::OutcomeUnknown(error.into())
    }
}

pub use crate::database::lease_end::after;
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
