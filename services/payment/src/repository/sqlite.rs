//! Payments in a SQLite file.
//!
//! A transaction that writes begins with `BEGIN IMMEDIATE`, which is the lock of the order's row and of all others.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use common::sqlite::{Sqlite, from_ms, ms, parse_col};
use common::store::StoreError;
use contracts::{OrderId, PaymentId, RefundId};
use sqlx::Row;
use sqlx::migrate::Migrator;

use super::{PaymentRepository, ReconcileTask, UpdateFn};
use crate::domain::{OrderPayments, Payment, State};

mod read;
mod write;

/// The tables.
pub static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// Payments in a SQLite file.
pub struct SqlitePaymentRepository {
    db: Sqlite,
}

impl SqlitePaymentRepository {
    /// The payments in an open file, which was migrated by [`MIGRATIONS`].
    #[must_use]
    pub const fn new(db: Sqlite) -> Self {
        Self { db }
    }

    async fn order_by(&self, query: &'static str, value: String) -> Result<Option<OrderId>, StoreError> {
        let row = sqlx::query(query).bind(value).fetch_optional(&mut *self.db.reader().acquire().await?).await?;
        row.map(|row| parse_col(row.try_get("order_id")?, "order id")).transpose()
    }
}

#[async_trait]
impl PaymentRepository for SqlitePaymentRepository {
    async fn update(&self, order: OrderId, update: &mut UpdateFn<'_>) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let inserted = sqlx::query("INSERT INTO orders (order_id) VALUES (?) ON CONFLICT DO NOTHING");
        inserted.bind(order.to_string()).execute(&mut *tx).await?;
        let before = read::order_payments(&mut tx, order).await?.unwrap_or_else(|| OrderPayments::unknown(order));
        let mut after = before.clone();
        let Some(effects) = update(&mut after) else {
            tx.rollback().await?;
            return Ok(());
        };
        write::order_payments(&mut tx, &before, &after).await?;
        self.db.commit(tx, &effects).await
    }

    async fn find(&self, order: OrderId) -> Result<Option<OrderPayments>, StoreError> {
        // One transaction, so that payments and refunds are of one moment.
        let mut tx = self.db.reader().begin().await?;
        let order_payments = read::order_payments(&mut tx, order).await?;
        tx.commit().await?;
        Ok(order_payments)
    }

    async fn order_id_by_payment(&self, payment: PaymentId) -> Result<Option<OrderId>, StoreError> {
        self.order_by("SELECT order_id FROM payments WHERE id = ?", payment.to_string()).await
    }

    async fn order_id_by_intent(&self, intent: &str) -> Result<Option<OrderId>, StoreError> {
        self.order_by("SELECT order_id FROM payments WHERE intent = ?", intent.to_owned()).await
    }

    async fn order_id_by_refund(&self, refund: RefundId) -> Result<Option<(OrderId, PaymentId)>, StoreError> {
        let query = "SELECT p.order_id, p.id FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE r.id = ?";
        let query = sqlx::query(query).bind(refund.to_string());
        let row = query.fetch_optional(&mut *self.db.reader().acquire().await?).await?;
        let read = |row: sqlx::sqlite::SqliteRow| {
            let order = parse_col(row.try_get("order_id")?, "order id")?;
            Ok((order, parse_col(row.try_get("id")?, "payment id")?))
        };
        row.map(read).transpose()
    }

    async fn list_due_tasks(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<ReconcileTask>, StoreError> {
        let rows = sqlx::query(
            "SELECT order_id, payment_id, refund_id FROM (
                 SELECT hints IS NOT NULL AS named, due_at, order_id, id AS payment_id, NULL AS refund_id FROM payments
                 WHERE due_at <= ?1 AND (lease_until IS NULL OR lease_until <= ?1)
                 UNION ALL
                 SELECT false, r.due_at, p.order_id, p.id, r.id FROM refunds r JOIN payments p ON p.id = r.payment_id
                 WHERE r.due_at <= ?1 AND (r.lease_until IS NULL OR r.lease_until <= ?1))
             ORDER BY named DESC, due_at LIMIT ?2",
        )
        .bind(ms(now))
        .bind(limit)
        .fetch_all(&mut *self.db.reader().acquire().await?)
        .await?;
        let read = |row: &sqlx::sqlite::SqliteRow| {
            let order = parse_col(row.try_get("order_id")?, "order id")?;
            let payment = parse_col(row.try_get("payment_id")?, "payment id")?;
            Ok(match row.try_get::<Option<&str>, _>("refund_id")? {
                Some(refund) => ReconcileTask::Refund(order, payment, parse_col(refund, "refund id")?),
                None => ReconcileTask::Payment(order, payment),
            })
        };
        rows.iter().map(read).collect()
    }

    async fn next_due_at(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        // What is urged during a lease falls due when the lease ends, at the latest when it runs out.
        let row = sqlx::query(
            "SELECT min(at) AS at FROM (
                 SELECT min(max(due_at, coalesce(lease_until, 0))) AS at FROM payments WHERE due_at IS NOT NULL
                 UNION ALL
                 SELECT min(max(due_at, coalesce(lease_until, 0))) FROM refunds WHERE due_at IS NOT NULL)",
        )
        .fetch_one(&mut *self.db.reader().acquire().await?)
        .await?;
        row.try_get::<Option<i64>, _>("at")?.map(from_ms).transpose()
    }

    async fn count_open(&self) -> Result<Vec<(State, i64)>, StoreError> {
        let count = "SELECT state, count(*) AS count FROM payments
            WHERE state IN ('pending', 'processing', 'settling') GROUP BY state";
        let rows = sqlx::query(count).fetch_all(&mut *self.db.reader().acquire().await?).await?;
        rows.iter().map(|row| Ok((parse_col(row.try_get("state")?, "payment state")?, row.try_get("count")?))).collect()
    }

    async fn count_needing_attention(&self) -> Result<i64, StoreError> {
        let count = sqlx::query_scalar("SELECT count(*) FROM refunds WHERE needs_attention");
        Ok(count.fetch_one(&mut *self.db.reader().acquire().await?).await?)
    }

    async fn audit_page(&self, after: Option<PaymentId>, limit: i64) -> Result<Vec<(Payment, bool)>, StoreError> {
        let mut tx = self.db.reader().begin().await?;
        let payments = read::audited(&mut tx, after, limit).await?;
        tx.commit().await?;
        Ok(payments)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.db.ping().await
    }
}
