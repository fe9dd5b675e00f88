//! Orders in a SQLite file.
//!
//! A transaction that writes begins with `BEGIN IMMEDIATE`, which is the lock of the order's row and of all others.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use common::effects::Effects;
use common::sqlite::{Sqlite, from_ms, ms, parse_col};
use common::store::StoreError;
use contracts::calls::OrderStatus;
use contracts::{OrderId, UserId};
use sqlx::Row;
use sqlx::migrate::Migrator;

use super::{OrderAuditRecord, OrderEffects, OrderFilter, OrderPage, OrderRepository, UpdateFn};
use crate::domain::{NewOrder, Order, OrderError, OrderNumber, TimelineEntry, UnpaidLimits, UnpaidTotals};

mod customers;
mod read;
mod timeline;
mod write;

/// The tables.
pub static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// Orders in a SQLite file.
pub struct SqliteOrderRepository {
    db: Sqlite,
}

impl SqliteOrderRepository {
    /// The orders in an open file, which was migrated by [`MIGRATIONS`].
    #[must_use]
    pub const fn new(db: Sqlite) -> Self {
        Self { db }
    }
}

#[async_trait]
impl OrderRepository for SqliteOrderRepository {
    async fn insert(
        &self,
        placed: &NewOrder,
        limits: UnpaidLimits,
        written: &OrderEffects,
    ) -> Result<Result<(), OrderError>, StoreError> {
        let mut tx = self.db.begin().await?;
        if let Err(refusal) = customers::admit(&mut tx, &placed.order, limits).await? {
            tx.rollback().await?;
            return Ok(Err(refusal));
        }
        write::placed(&mut tx, placed).await?;
        timeline::write(&mut tx, &written.entries).await?;
        self.db.commit(tx, &written.effects).await.map(Ok)
    }

    async fn unpaid_totals(&self, user: UserId) -> Result<UnpaidTotals, StoreError> {
        customers::unpaid(&mut *self.db.reader().acquire().await?, user).await
    }

    async fn mark_customer_deleted(&self, user: UserId, now: DateTime<Utc>) -> Result<Vec<OrderId>, StoreError> {
        let mut tx = self.db.begin().await?;
        let tombstone = sqlx::query(
            "INSERT INTO customers (user_id, deleted_at) VALUES (?, ?)
             ON CONFLICT (user_id) DO UPDATE SET deleted_at = coalesce(deleted_at, excluded.deleted_at)",
        );
        tombstone.bind(user.to_string()).bind(ms(now)).execute(&mut *tx).await?;
        let rows = sqlx::query(
            "SELECT id FROM orders
             WHERE user_id = ? AND captured = 0 AND status IN ('pending', 'confirmed') ORDER BY id",
        );
        let rows = rows.bind(user.to_string()).fetch_all(&mut *tx).await?;
        self.db.commit(tx, &Effects::none()).await?;
        rows.iter().map(|row| parse_col(row.try_get("id")?, "order id")).collect()
    }

    async fn update(&self, id: OrderId, decide: &mut UpdateFn<'_>) -> Result<Option<Order>, StoreError> {
        let mut tx = self.db.begin().await?;
        let Some(before) = read::order(&mut tx, id).await? else {
            tx.rollback().await?;
            return Ok(None);
        };
        let mut after = before.clone();
        let Some(written) = decide(&mut after) else {
            tx.rollback().await?;
            return Ok(Some(before));
        };
        if after != before {
            write::changed(&mut tx, &before, &after).await?;
        }
        timeline::write(&mut tx, &written.entries).await?;
        self.db.commit(tx, &written.effects).await?;
        Ok(Some(after))
    }

    async fn find(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        // One transaction, so that the order and its payments are of one moment.
        let mut tx = self.db.reader().begin().await?;
        let order = read::order(&mut tx, id).await?;
        tx.commit().await?;
        Ok(order)
    }

    async fn find_by_number(&self, number: &OrderNumber) -> Result<Option<Order>, StoreError> {
        let mut tx = self.db.reader().begin().await?;
        let order = read::order_by_number(&mut tx, number).await?;
        tx.commit().await?;
        Ok(order)
    }

    async fn list(&self, filter: OrderFilter, offset: i64, limit: i64) -> Result<OrderPage, StoreError> {
        let mut tx = self.db.reader().begin().await?;
        let page = read::page(&mut tx, filter, offset, limit).await?;
        tx.commit().await?;
        Ok(page)
    }

    async fn append_timeline(&self, written: &OrderEffects) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        timeline::write(&mut tx, &written.entries).await?;
        self.db.commit(tx, &written.effects).await
    }

    async fn timeline(&self, id: OrderId) -> Result<Vec<TimelineEntry>, StoreError> {
        timeline::read(&mut *self.db.reader().acquire().await?, id).await
    }

    async fn audit_page(&self, after: Option<OrderId>, limit: i64) -> Result<Vec<OrderAuditRecord>, StoreError> {
        let mut tx = self.db.reader().begin().await?;
        let audited = read::audited(&mut tx, after, limit).await?;
        tx.commit().await?;
        Ok(audited)
    }

    async fn insert_tombstone(&self, id: OrderId, now: DateTime<Utc>) -> Result<Option<OrderStatus>, StoreError> {
        let mut tx = self.db.begin().await?;
        let tombstone = sqlx::query("INSERT INTO order_ids (id, abandoned_at) VALUES (?, ?) ON CONFLICT DO NOTHING");
        tombstone.bind(id.to_string()).bind(ms(now)).execute(&mut *tx).await?;
        let status = sqlx::query("SELECT status FROM orders WHERE id = ?").bind(id.to_string());
        let status = status.fetch_optional(&mut *tx).await?;
        let status = status.map(|row| parse_col(row.try_get("status")?, "order status")).transpose()?;
        self.db.commit(tx, &Effects::none()).await?;
        Ok(status)
    }

    async fn count_by_status(&self) -> Result<Vec<(OrderStatus, i64)>, StoreError> {
        let rows = sqlx::query("SELECT status, count(*) AS count FROM orders GROUP BY status");
        let rows = rows.fetch_all(&mut *self.db.reader().acquire().await?).await?;
        rows.iter().map(|row| Ok((parse_col(row.try_get("status")?, "order status")?, row.try_get("count")?))).collect()
    }

    async fn list_unpaid_before(
        &self,
        waiting: DateTime<Utc>,
        processing: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<OrderId>, StoreError> {
        let rows = sqlx::query(
            "SELECT id FROM orders WHERE captured = 0 AND status IN ('pending', 'confirmed') AND created_at <= ?
                 AND (payment_status <> 'processing' OR created_at <= ?)
             ORDER BY created_at LIMIT ?",
        );
        let rows = rows
            .bind(ms(waiting))
            .bind(ms(processing))
            .bind(limit)
            .fetch_all(&mut *self.db.reader().acquire().await?)
            .await?;
        rows.iter().map(|row| parse_col(row.try_get("id")?, "order id")).collect()
    }

    async fn oldest_unpaid_at(&self, processing: bool) -> Result<Option<DateTime<Utc>>, StoreError> {
        let oldest = sqlx::query_scalar::<_, Option<i64>>(
            "SELECT min(created_at) FROM orders
             WHERE captured = 0 AND status IN ('pending', 'confirmed') AND (payment_status = 'processing') = ?",
        );
        oldest.bind(processing).fetch_one(&mut *self.db.reader().acquire().await?).await?.map(from_ms).transpose()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.db.ping().await
    }
}
