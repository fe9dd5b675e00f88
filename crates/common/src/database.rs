//! A service's own database: one layer over SQLite and PostgreSQL.
//!
//! A repository is written once. Its statements have PostgreSQL's placeholders and locking protocol (`READ COMMITTED`, a
//! row locked before it is read to be changed), which is correct in SQLite too, where a transaction that writes has the lock
//! of the whole file. What a database cannot say alike is one of the eight [`fragments`] of a [`Dialect`].
//!
//! ```
//! use common::database::{Database, IntoValue, Row, Statement, query};
//! use common::effects::Effects;
//! use common::store::StoreError;
//! use contracts::{Money, ProductId};
//!
//! const PRICE: &str = "SELECT price FROM products WHERE id = $1";
//! static LOCKED: Statement = Statement::new(|db| format!("{PRICE} {}", db.for_update()));
//!
//! async fn price(db: &Database, id: ProductId) -> Result<Option<Money>, StoreError> {
//!     query(PRICE).bind(id).fetch_optional_scalar(&mut *db.reader().await?).await
//! }
//!
//! async fn raise(db: &Database, id: ProductId, by: Money, effects: &Effects) -> Result<bool, StoreError> {
//!     let mut tx = db.begin().await?;
//!     let Some(row) = query(&LOCKED).bind(id).fetch_optional(&mut tx).await? else { return Ok(false) };
//!     let price: Money = row.get("price")?;
//!     query("UPDATE products SET price = $1 WHERE id = $2")
//!         .bind(price.cents() + by.cents())
//!         .bind(id)
//!         .execute(&mut tx)
//!         .await?;
//!     db.commit(tx, effects).await?;
//!     Ok(true)
//! }
//! ```

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use sqlx::migrate::Migrator;
use tokio::sync::Notify;

use crate::clock::SharedClock;
use crate::config::DatabaseUrl;
use crate::crash;
use crate::effects::Effects;
use crate::idempotency::Keys;
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::postgres::PostgresUrl;
use crate::store::{Operations, Pool, StoreError};

mod codec;
mod connection;
mod dialect;
pub mod fragments;
mod listing;
pub(crate) mod postgres_pool;
mod query;
mod row;
pub mod schema;
pub(crate) mod sqlite_file;
mod statement;
mod value;
pub(crate) mod writer_probe;

pub(crate) use codec::{from_millis, to_millis};
pub use connection::{Connection, Tx};
pub use dialect::Dialect;
pub use listing::{Listing, OrderBy, RowPage};
pub use query::{Fragment, Query, QueryBuilder, query};
pub use row::{Column, FromColumn, Nullable, Row};
pub use statement::{Sql, Statement};
pub use value::{IntoValue, Value};

use writer_probe::WriterProbe;

/// A service's database. Clones share its connections.
#[derive(Clone)]
pub struct Database {
    pools: Pools,
    service: &'static str,
    wake: Arc<Notify>,
}

#[derive(Clone)]
enum Pools {
    Sqlite { read: Pool<sqlx::Sqlite>, write: Pool<sqlx::Sqlite>, probe: Arc<WriterProbe> },
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
            DatabaseUrl::Sqlite(path) => Self::open_sqlite(path, service, &migrations.sqlite).await,
            DatabaseUrl::Postgres(url) => Self::open_postgres(url, service, &migrations.postgres).await,
        }
    }

    /// Opens a SQLite file, which is created if there is none, and brings its tables up to date.
    ///
    /// # Errors
    /// If the file cannot be opened or a migration fails; [`StoreError::Incompatible`] if this binary is too old for it.
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
    pub async fn open_postgres(
        url: &PostgresUrl,
        service: &'static str,
        migrations: &Migrator,
    ) -> Result<Self, StoreError> {
        let pool = postgres_pool::open_pool(url.options().clone(), service).await?;
        postgres_pool::migrate_service(&pool, migrations).await?;
        Ok(Self { pools: Pools::Postgres(pool.into()), service, wake: Arc::default() })
    }

    /// Returns the kind of the database.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        match &self.pools {
            Pools::Sqlite { .. } => Dialect::SQLITE,
            Pools::Postgres(_) => Dialect::POSTGRES,
        }
    }

    /// Shows the state of the connections in `metrics` and returns the metrics of the calls to its repositories.
    #[must_use]
    pub fn observe(&self, metrics: &Metrics) -> Operations {
        match &self.pools {
            Pools::Sqlite { read, write, .. } => Pool::observe(vec![read.clone(), write.clone()], metrics),
            Pools::Postgres(pool) => Pool::observe(vec![pool.clone()], metrics),
        }
        Operations::new(self.service, self.dialect().name(), metrics)
    }

    /// Returns a connection for single statements that only read. Each sees what was committed before it.
    ///
    /// # Errors
    /// If no connection is free within five seconds, or the database is unavailable.
    pub async fn reader(&self) -> Result<Connection, StoreError> {
        Ok(match &self.pools {
            Pools::Sqlite { read, .. } => Connection::sqlite(read.acquire().await?),
            Pools::Postgres(pool) => Connection::postgres(pool.acquire().await?),
        })
    }

    /// Returns a connection for single statements that write without effects; each is a transaction of its own.
    ///
    /// # Errors
    /// If no connection is free within five seconds, or the database is unavailable.
    pub async fn writer(&self) -> Result<Connection, StoreError> {
        Ok(match &self.pools {
            Pools::Sqlite { write, .. } => Connection::sqlite(write.acquire().await?),
            Pools::Postgres(pool) => Connection::postgres(pool.acquire().await?),
        })
    }

    /// Begins a transaction that only reads, and sees one moment.
    ///
    /// # Errors
    /// If no connection is free within five seconds, or the database is unavailable.
    pub async fn snapshot(&self) -> Result<Tx, StoreError> {
        Ok(match &self.pools {
            Pools::Sqlite { read, .. } => Tx::sqlite(read.begin().await?),
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
            Pools::Sqlite { write, .. } => Tx::sqlite(write.begin_with(sqlite_file::BEGIN).await?),
            Pools::Postgres(pool) => Tx::postgres(pool.begin().await?),
        })
    }

    /// Writes the effects and commits, all or nothing. Wakes the relay if there is something to publish.
    ///
    /// # Errors
    /// [`StoreError::AlreadyHandled`] if the message was handled before, [`StoreError::LeaseLost`] if another attempt
    /// works on the request's key, [`StoreError::OutcomeUnknown`] if the connection was lost during the commit.
    pub async fn commit(&self, mut tx: Tx, effects: &Effects) -> Result<(), StoreError> {
        crate::outbox::sql::write_effects(&mut tx, self.service, effects).await?;
        crash::point("before-commit", || crash::effects(self.service, effects));
        tx.commit().await?;
        crash::point("after-commit", || crash::effects(self.service, effects));
        if !effects.events.is_empty() {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Returns the outbox: the events that wait to be published.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        Outbox::new(Arc::new(crate::outbox::sql::SqlOutbox::new(self.clone())), self.wake.clone())
    }

    /// Returns the idempotency keys.
    #[must_use]
    pub fn keys(&self, clock: SharedClock) -> Keys {
        Keys::new(Arc::new(crate::idempotency::sql::SqlKeys::new(self.clone())), clock)
    }

    /// Checks that the database can be read and, if it is a file, written.
    ///
    /// # Errors
    /// If it is unavailable.
    pub async fn ping(&self) -> Result<(), StoreError> {
        query("SELECT 1 FROM outbox LIMIT 1").fetch_optional(&mut self.reader().await?).await?;
        match &self.pools {
            Pools::Sqlite { write, probe, .. } => probe.run(write).await,
            Pools::Postgres(_) => Ok(()),
        }
    }

    /// Closes all connections, once their work is done.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { read, write, .. } => {
                read.close().await;
                write.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("dialect", &self.dialect()).field("service", &self.service).finish()
    }
}

/// Maps the name of a broken constraint to the one that the repository's port uses: pairs of PostgreSQL's name and the
/// port's. SQLite names the columns, as in `orders.order_number`; ports use that name, so that it needs no pair.
#[must_use]
pub fn map_constraint(error: StoreError, names: &[(&str, &str)]) -> StoreError {
    match error {
        StoreError::Unique { constraint } => {
            let known = names.iter().find(|(own, _)| *own == constraint);
            StoreError::Unique { constraint: known.map_or(constraint, |(_, name)| (*name).to_owned()) }
        }
        other => other,
    }
}
