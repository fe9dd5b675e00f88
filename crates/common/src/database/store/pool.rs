//! Connection pool with metrics.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use sqlx::pool::PoolConnection;
use sqlx::{Database, SqlSafeStr, Transaction};

use crate::telemetry::metrics::{Metrics, PoolMetrics};

/// Connection pool of a database. Its connections are measured once it is observed. Clones share it.
#[derive(Debug)]
pub struct Pool<DB: Database> {
    pool: sqlx::Pool<DB>,
    metrics: Arc<OnceLock<PoolMetrics>>,
}

impl<DB: Database> Clone for Pool<DB> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), metrics: self.metrics.clone() }
    }
}

impl<DB: Database> From<sqlx::Pool<DB>> for Pool<DB> {
    fn from(pool: sqlx::Pool<DB>) -> Self {
        Self { pool, metrics: Arc::default() }
    }
}

/// Dereferences to the pool itself, for calls that are not measured.
impl<DB: Database> Deref for Pool<DB> {
    type Target = sqlx::Pool<DB>;

    fn deref(&self) -> &Self::Target {
        &self.pool
    }
}

/// Begins a transaction also if the caller is cancelled meanwhile; it is rolled back then. If it were dropped half-way,
/// sqlx 0.9.0 would give its connection to the next caller with the transaction still open, and that caller's writes would
/// be lost (<https://github.com/launchbadge/sqlx/issues/4393>).
async fn begin_uncancellable<DB: Database>(
    begin: impl Future<Output = sqlx::Result<Transaction<'static, DB>>> + Send + 'static,
) -> sqlx::Result<Transaction<'static, DB>> {
    tokio::spawn(begin).await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
}

impl<DB: Database> Pool<DB> {
    /// Returns a connection, once one is free.
    ///
    /// # Errors
    /// If none is free in time, or the database is unavailable.
    pub async fn acquire(&self) -> sqlx::Result<PoolConnection<DB>> {
        let started = Instant::now();
        let acquired = self.pool.acquire().await;
        if let Some(metrics) = self.metrics.get() {
            metrics.waited(started.elapsed());
        }
        acquired
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// The same.
    pub async fn begin(&self) -> sqlx::Result<Transaction<'static, DB>> {
        begin_uncancellable(Transaction::begin(self.acquire().await?, None)).await
    }

    /// Begins a transaction with a statement.
    ///
    /// # Errors
    /// The same.
    pub async fn begin_with(&self, statement: impl SqlSafeStr) -> sqlx::Result<Transaction<'static, DB>> {
        begin_uncancellable(Transaction::begin(self.acquire().await?, Some(statement.into_sql_str()))).await
    }

    /// Reports the state of the pools of one store in `metrics`.
    pub(crate) fn observe(pools: Vec<Self>, metrics: &Metrics) {
        let shared =
            PoolMetrics::new(metrics, pools.iter().map(|pool| pool.pool.options().get_max_connections()).sum());
        for pool in &pools {
            // A pool that is observed already keeps its metrics.
            let _ = pool.metrics.set(shared.clone());
        }
        metrics.before_render(move || {
            let open: i64 = pools.iter().map(|pool| i64::from(pool.pool.size())).sum();
            let idle = pools.iter().map(|pool| i64::try_from(pool.pool.num_idle()).unwrap_or(i64::MAX)).sum();
            shared.show(idle, open - idle);
        });
    }
}
