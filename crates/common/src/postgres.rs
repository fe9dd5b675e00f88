//! A PostgreSQL database as a service's own store: a pool with limits, and the outbox beside the data.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::Notify;

use crate::auth::revocations::Revocations;
use crate::auth::revocations::postgres::PostgresRevocations;
use crate::clock::SharedClock;
use crate::crash;
use crate::database::postgres_pool;
use crate::effects::Effects;
use crate::idempotency::Keys;
use crate::idempotency::postgres::PostgresKeys;
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::outbox::postgres::{PostgresOutbox, write_effects};
use crate::store::{Operations, Pool, StoreError};

/// A transaction.
pub type PostgresTx = sqlx::Transaction<'static, sqlx::Postgres>;

/// The address of a database: `postgres://<role>:<password>@<host>:<port>/<database>`. It is shown without its
/// password.
#[derive(Clone)]
pub struct PostgresUrl(Box<PgConnectOptions>);

impl FromStr for PostgresUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The library's own message could hold the password.
        let options: PgConnectOptions = text.parse().map_err(|_| "it is no PostgreSQL address".to_owned())?;
        if options.get_database().is_none_or(str::is_empty) {
            return Err("it names no database: postgres://<role>:<password>@<host>:<port>/<database>".to_owned());
        }
        Ok(Self(Box::new(options)))
    }
}

impl PostgresUrl {
    /// Returns the options of a connection.
    pub(crate) const fn options(&self) -> &PgConnectOptions {
        &self.0
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(options) = self;
        let database = options.get_database().unwrap_or_default();
        write!(f, "postgres://{}@{}:{}/{database}", options.get_username(), options.get_host(), options.get_port())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

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
        let pool = postgres_pool::open_pool(url.options().clone(), service).await?;
        postgres_pool::migrate_service(&pool, migrations).await?;
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
        Ok(self.pool.begin_with(postgres_pool::SNAPSHOT).await?)
    }

    /// Writes the effects and commits: all of it or nothing. Wakes the relay if there is something to publish.
    ///
    /// # Errors
    /// [`StoreError::AlreadyHandled`] if the message was handled before, [`StoreError::OutcomeUnknown`] if the
    /// connection was lost during the commit.
    pub async fn commit(&self, mut tx: PostgresTx, effects: &Effects) -> Result<(), StoreError> {
        write_effects(&mut tx, self.service, effects).await?;
        crash::point("before-commit", || crash::effects(self.service, effects));
        tx.commit().await.map_err(postgres_pool::map_commit_error)?;
        crash::point("after-commit", || crash::effects(self.service, effects));
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

    /// Returns the revocations of access in this database.
    #[must_use]
    pub fn revocations(&self, clock: SharedClock) -> Revocations {
        Revocations::new(Arc::new(PostgresRevocations::new(self.pool.clone())), clock)
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

/// A lease's end.
#[must_use]
pub fn after(now: DateTime<Utc>, lease: Duration) -> DateTime<Utc> {
    now + TimeDelta::from_std(lease).unwrap_or(TimeDelta::MAX)
}

pub use crate::store::parse_col;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let url: PostgresUrl = "postgres://orders:hidden@db:5433/orders".parse().unwrap();
        assert_eq!(url.to_string(), "postgres://orders@db:5433/orders");
        assert!(!format!("{url:?}").contains("hidden"));
        for wrong in ["postgres://orders:hidden@db:port/orders", "postgres://orders:hidden@db/"] {
            let error = wrong.parse::<PostgresUrl>().unwrap_err();
            assert!(!error.contains("hidden"), "{error}");
        }
    }
}
