//! Connections and transactions.

use std::fmt;
use std::ops::{Deref, DerefMut};

#[cfg(feature = "postgres")]
use sqlx::Postgres;
#[cfg(feature = "sqlite")]
use sqlx::Sqlite;
use sqlx::Transaction;
use sqlx::pool::PoolConnection;
#[cfg(feature = "postgres")]
use sqlx::postgres::PgConnection;
#[cfg(feature = "sqlite")]
use sqlx::sqlite::SqliteConnection;

use super::dialect::Dialect;
use super::dialect::Kind;
#[cfg(feature = "postgres")]
use super::postgres_pool;
#[cfg(feature = "sqlite")]
use super::sqlite_file;
use crate::database::store::StoreError;

/// Connection that executes queries. [`Tx`] dereferences to one, so that a function that takes `&mut Connection` works
/// within a transaction and without one.
pub struct Connection(Lease);

enum Lease {
    #[cfg(feature = "sqlite")]
    Sqlite(PoolConnection<Sqlite>),
    #[cfg(feature = "sqlite")]
    SqliteTx(Transaction<'static, Sqlite>),
    #[cfg(feature = "postgres")]
    Postgres(PoolConnection<Postgres>),
    #[cfg(feature = "postgres")]
    PostgresTx(Transaction<'static, Postgres>),
}

/// Driver's connection of a [`Connection`].
pub(super) enum DriverRef<'c> {
    #[cfg(feature = "sqlite")]
    Sqlite(&'c mut SqliteConnection),
    #[cfg(feature = "postgres")]
    Postgres(&'c mut PgConnection),
}

impl Connection {
    #[cfg(feature = "sqlite")]
    pub(super) const fn sqlite(connection: PoolConnection<Sqlite>) -> Self {
        Self(Lease::Sqlite(connection))
    }

    #[cfg(feature = "postgres")]
    pub(super) const fn postgres(connection: PoolConnection<Postgres>) -> Self {
        Self(Lease::Postgres(connection))
    }

    pub(super) fn driver(&mut self) -> DriverRef<'_> {
        match &mut self.0 {
            #[cfg(feature = "sqlite")]
            Lease::Sqlite(connection) => DriverRef::Sqlite(connection),
            #[cfg(feature = "sqlite")]
            Lease::SqliteTx(tx) => DriverRef::Sqlite(tx),
            #[cfg(feature = "postgres")]
            Lease::Postgres(connection) => DriverRef::Postgres(connection),
            #[cfg(feature = "postgres")]
            Lease::PostgresTx(tx) => DriverRef::Postgres(tx),
        }
    }

    /// Returns the kind of the database.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Lease::Sqlite(_) | Lease::SqliteTx(_) => Dialect(Kind::Sqlite),
            #[cfg(feature = "postgres")]
            Lease::Postgres(_) | Lease::PostgresTx(_) => Dialect(Kind::Postgres),
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection").field(&self.dialect()).finish()
    }
}

/// Transaction. It is rolled back when it is dropped.
#[derive(Debug)]
pub struct Tx(Connection);

impl Tx {
    #[cfg(feature = "sqlite")]
    pub(super) const fn sqlite(tx: Transaction<'static, Sqlite>) -> Self {
        Self(Connection(Lease::SqliteTx(tx)))
    }

    #[cfg(feature = "postgres")]
    pub(super) const fn postgres(tx: Transaction<'static, Postgres>) -> Self {
        Self(Connection(Lease::PostgresTx(tx)))
    }

    /// Commits a transaction without effects. One with effects is committed by [`Database::commit`](super::Database::commit).
    ///
    /// # Errors
    /// [`StoreError::OutcomeUnknown`] if the connection was lost meanwhile.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self.0.0 {
            #[cfg(feature = "sqlite")]
            Lease::SqliteTx(tx) => tx.commit().await.map_err(sqlite_file::map_commit_error),
            #[cfg(feature = "postgres")]
            Lease::PostgresTx(tx) => tx.commit().await.map_err(postgres_pool::map_commit_error),
            #[cfg(feature = "sqlite")]
            Lease::Sqlite(_) => Ok(()),
            #[cfg(feature = "postgres")]
            Lease::Postgres(_) => Ok(()),
        }
    }

    /// Rolls the transaction back.
    ///
    /// # Errors
    /// If the database is unavailable.
    pub async fn rollback(self) -> Result<(), StoreError> {
        match self.0.0 {
            #[cfg(feature = "sqlite")]
            Lease::SqliteTx(tx) => Ok(tx.rollback().await?),
            #[cfg(feature = "postgres")]
            Lease::PostgresTx(tx) => Ok(tx.rollback().await?),
            #[cfg(feature = "sqlite")]
            Lease::Sqlite(_) => Ok(()),
            #[cfg(feature = "postgres")]
            Lease::Postgres(_) => Ok(()),
        }
    }
}

impl Deref for Tx {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.0
    }
}
