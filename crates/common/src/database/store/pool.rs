//! A pool of connections that tells how it fares.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use sqlx::pool::PoolConnection;
use sqlx::{Database, SqlSafeStr, Transaction};

use crate::telemetry::metrics::{Metrics, PoolMetrics};

/// Connections to a database. What is acquired through it is measured once somebody observes it. Clones share all of
/// it.
#[derive(Debug)]
pub struct Pool<DB: Database> {
    pool: sqlx::Pool<DB>,
    seen: Arc<OnceLock<PoolMetrics>>,
}

impl<DB: Database> Clone for Pool<DB> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), seen: self.seen.clone() }
    }
}

impl<DB: Database> From<sqlx::Pool<DB>> for Pool<DB> {
    fn from(pool: sqlx::Pool<DB>) -> Self {
        Self { pool, seen: Arc::default() }
    }
}

/// The pool itself, for what is not worth measuring.
impl<DB: Database> Deref for Pool<DB> {
    type Target = sqlx::Pool<DB>;

    fn deref(&self) -> &Self::Target {
        &self.pool
    }
}

/// Lets a transaction begin although whoever asked for it goes away meanwhile; it is rolled back then. If it were dropped
/// half-way, sqlx 0.9.0 would give its connection to the next one with the transaction still open, and what that one wrote
/// would be lost (<https://github.com/launchbadge/sqlx/issues/4393>).
async fn begun<DB: Database>(
    begin: impl Future<Output = sqlx::Result<Transaction<'static, DB>>> + Send + 'static,
) -> sqlx::Result<Transaction<'static, DB>> {
    tokio::spawn(begin).await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
}

impl<DB: Database> Pool<DB> {
    /// Waits for a connection.
    ///
    /// # Errors
    /// If none is free in time, or the database does not answer.
    pub async fn acquire(&self) -> sqlx::Result<PoolConnection<DB>> {
        let begun = Instant::now();
        let acquired = self.pool.acquire().await;
        if let Some(seen) = self.seen.get() {
            seen.waited(begun.elapsed());
        }
        acquired
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// The same.
    pub async fn begin(&self) -> sqlx::Result<Transaction<'static, DB>> {
        begun(Transaction::begin(self.acquire().await?, None)).await
    }

    /// Begins a transaction by this statement.
    ///
    /// # Errors
    /// The same.
    pub async fn begin_with(&self, statement: impl SqlSafeStr) -> sqlx::Result<Transaction<'static, DB>> {
        begun(Transaction::begin(self.acquire().await?, Some(statement.into_sql_str()))).await
    }

    /// Shows in `metrics` how these pools of one store fare together.
    pub(crate) fn observe(pools: Vec<Self>, metrics: &Metrics) {
        let seen = PoolMetrics::new(metrics, pools.iter().map(|pool| pool.pool.options().get_max_connections()).sum());
        for pool in &pools {
            // A pool that is observed already goes on counting where it did.
            let _ = pool.seen.set(seen.clone());
        }
        metrics.before_render(move || {
            let open: i64 = pools.iter().map(|pool| i64::from(pool.pool.size())).sum();
            let idle = pools.iter().map(|pool| i64::try_from(pool.pool.num_idle()).unwrap_or(i64::MAX)).sum();
            seen.show(idle, open - idle);
        });
    }
}
