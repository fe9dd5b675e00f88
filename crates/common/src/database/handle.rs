//! Handle of a service's database: its pools.

use std::fmt;
#[cfg(feature = "sqlite")]
use std::path::Path;
use std::sync::Arc;

use sqlx::migrate::Migrator;
use tokio::sync::Notify;

use super::connection::{Connection, Tx};
use super::dialect::Dialect;
#[cfg(feature = "postgres")]
use super::postgres_pool;
use super::query::query;
#[cfg(feature = "sqlite")]
use super::sqlite_file;
use super::store::{Pool, StoreError, StoreMetrics};
#[cfg(feature = "sqlite")]
use super::writer_probe::WriterProbe;
use crate::config::DatabaseUrl;
#[cfg(feature = "postgres")]
use crate::config::urls::PostgresUrl;
use crate::telemetry::metrics::Metrics;

/// A service's database. Clones share its connections.
#[derive(Clone)]
pub struct Database {
    pools: Pools,
    pub(super) service: &'static str,
    pub(super) wake: Arc<Notify>,
}

#[derive(Clone)]
enum Pools {
    #[cfg(feature = "sqlite")]
    Sqlite { read: Pool<sqlx::Sqlite>, write: Pool<sqlx::Sqlite>, probe: Arc<WriterProbe> },
    #[cfg(feature = "postgres")]
    Postgres(Pool<sqlx::Postgres>),
}

/// Migrations of a service's tables, for each kind of database.
#[derive(Debug)]
pub struct Migrations {
    /// The directory `migrations/sqlite`.
    pub sqlite: Migrator,
    /// The directory `migrations/postgres`.
    pub postgres: Migrator,
}

impl Database {
    /// Opens the database at a URL and brings its tables up to date. Several instances may do so at once.
    ///
    /// # Errors
    /// If the database is unavailable or a migration fails; [`StoreError::Incompatible`] if this binary is too old for it.
    pub async fn open(url: &DatabaseUrl, service: &'static str, migrations: &Migrations) -> Result<Self, StoreError> {
        match url {
            #[cfg(feature = "sqlite")]
            DatabaseUrl::Sqlite(path) => Self::open_sqlite(path, service, &migrations.sqlite).await,
            #[cfg(feature = "postgres")]
            DatabaseUrl::Postgres(url) => Self::open_postgres(url, service, &migrations.postgres).await,
        }
    }

    /// Opens a SQLite file, which is created if there is none, and brings its tables up to date.
    ///
    /// # Errors
    /// If the file cannot be opened or a migration fails; [`StoreError::Incompatible`] if this binary is too old for it.
    #[cfg(feature = "sqlite")]
    pub async fn open_sqlite(path: &Path, service: &'static str, migrations: &Migrator) -> Result<Self, StoreError> {
        let (read, write) = sqlite_file::open_pools(path).await?;
        sqlite_file::migrate_service(&write, migrations).await?;
        let pools = Pools::Sqlite { read: read.into(), write: write.into(), probe: Arc::new(WriterProbe::new(path)) };
        Ok(Self { pools, service, wake: Arc::default() })
    }

    /// Connects to a PostgreSQL database and brings its tables up to date.
    ///
    /// # Errors
    /// If the server does not respond within five seconds, rejects the connection, or a migration fails;
    /// [`StoreError::Incompatible`] if this binary is too old for the database.
    #[cfg(feature = "postgres")]
    pub async fn open_postgres(
        url: &PostgresUrl,
        service: &'static str,
        migrations: &Migrator,
    ) -> Result<Self, StoreError> {
        let pool = postgres_pool::open_pool((*url.0).clone(), service).await?;
        postgres_pool::migrate_service(&pool, migrations).await?;
        Ok(Self { pools: Pools::Postgres(pool.into()), service, wake: Arc::default() })
    }

    /// Returns the kind of the database.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        match &self.pools {
            #[cfg(feature = "sqlite")]
            Pools::Sqlite { .. } => Dialect::SQLITE,
            #[cfg(feature = "postgres")]
            Pools::Postgres(_) => Dialect::POSTGRES,
        }
    }

    /// Shows the state of the connections in `metrics` and returns the metrics of the calls to its repositories.
    #[must_use]
    pub fn observe(&self, metrics: &Metrics) -> StoreMetrics {
        match &self.pools {
            #[cfg(feature = "sqlite")]
            Pools::Sqlite { read, write, .. } => Pool::observe(vec![read.clone(), write.clone()], metrics),
            #[cfg(feature = "postgres")]
            Pools::Postgres(pool) => Pool::observe(vec![pool.clone()], metrics),
        }
        StoreMetrics::new(self.service, self.dialect().name(), metrics)
    }

    /// Returns a connection for single statements that only read. Each sees what was committed before it.
    ///
    /// # Errors
    /// If no connection is free within five seconds, or the database is unavailable.
    pub async fn reader(&self) -> Result<Connection, StoreError> {
        Ok(match &self.pools {
            #[cfg(feature = "sqlite")]
            Pools::Sqlite { read, .. } => Connection::sqlite(read.acquire().await?),
            #[cfg(feature = "postgres")]
            Pools::Postgres(pool) => Connection::postgres(pool.acquire().await?),
        })
    }

    /// Returns a connection for single statements that write without effects; each is a transaction of its own.
    ///
    /// # Errors
    /// If no connection is free within five seconds, or the database is unavailable.
    pub async fn writer(&self) -> Result<Connection, StoreError> {
        Ok(match &self.pools {
            #[cfg(feature = "sqlite")]
            Pools::Sqlite { write, .. } => Connection::sqlite(write.acquire().await?),
            #[cfg(feature = "postgres")]
            Pools::Postgres(pool) => Connection::postgres(pool.acquire().await?),
        })
    }

    /// Begins a transaction that only reads, and sees one moment.
    ///
    /// # Errors
    /// If no connection is free within five seconds, or the database is unavailable.
    pub async fn snapshot(&self) -> Result<Tx, StoreError> {
        Ok(match &self.pools {
            #[cfg(feature = "sqlite")]
            Pools::Sqlite { read, .. } => Tx::sqlite(read.begin().await?),
            #[cfg(feature = "postgres")]
            Pools::Postgres(pool) => Tx::postgres(pool.begin_with(postgres_pool::SNAPSHOT).await?),
        })
    }

    /// Begins a transaction that writes. In PostgreSQL it is `READ COMMITTED`: each statement sees what was committed
    /// before it, so that a row that was locked is read as it is then. In SQLite it has the write lock from its beginning.
    ///
    /// # Errors
    /// If no connection is free within five seconds, another process holds the file for longer, or the database is
    /// unavailable.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(match &self.pools {
            #[cfg(feature = "sqlite")]
            Pools::Sqlite { write, .. } => Tx::sqlite(write.begin_with(sqlite_file::BEGIN).await?),
            #[cfg(feature = "postgres")]
            Pools::Postgres(pool) => Tx::postgres(pool.begin().await?),
        })
    }

    /// Checks that the database can be read and, if it is a file, written.
    ///
    /// # Errors
    /// If it is unavailable.
    pub async fn ping(&self) -> Result<(), StoreError> {
        query("SELECT 1 FROM outbox LIMIT 1").fetch_optional(&mut self.reader().await?).await?;
        match &self.pools {
            #[cfg(feature = "sqlite")]
            Pools::Sqlite { write, probe, .. } => probe.run(write).await,
            #[cfg(feature = "postgres")]
            Pools::Postgres(_) => Ok(()),
        }
    }

    /// Closes all connections, once their work is done.
    pub async fn close(&self) {
        match &self.pools {
            #[cfg(feature = "sqlite")]
            Pools::Sqlite { read, write, .. } => {
                read.close().await;
                write.close().await;
            }
            #[cfg(feature = "postgres")]
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("dialect", &self.dialect()).field("service", &self.service).finish()
    }
}
