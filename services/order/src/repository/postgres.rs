//! Orders in a PostgreSQL database.
//!
//! What changes an order locks its row first (`FOR UPDATE`). An order and its tombstone contend for a row of
//! `order_ids`: whoever inserts it second waits for the first to commit, and then finds it.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use common::postgres::{Postgres, parse_col};
use common::store::StoreError;
use contracts::calls::OrderStatus;
use contracts::{OrderId, UserId};
use sqlx::Row;
use sqlx::migrate::Migrator;

use super::{
    CONSTRAINT_ORDER_ID, CONSTRAINT_ORDER_NUMBER, OrderAuditRecord, OrderEffects, OrderFilter, OrderPage,
    OrderRepository, UpdateFn,
};
use crate::domain::{NewOrder, Order, OrderError, OrderNumber, TimelineEntry, UnpaidLimits, UnpaidTotals};

pub mod customers;
pub mod read;
mod timeline;
mod write;

pub use timeline::READ as TIMELINE;

/// The tables.
pub static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// The schema's names of the constraints that the port speaks of.
const CONSTRAINTS: &[(&str, &str)] =
    &[("order_ids_id", CONSTRAINT_ORDER_ID), ("orders_order_number", CONSTRAINT_ORDER_NUMBER)];

/// UnpaidTotals orders, the oldest first: placed at what time at the latest, at what time if a payment is being processed, how
/// many.
pub const UNPAID: &str = "SELECT id FROM orders
    WHERE captured = 0 AND status IN ('pending', 'confirmed') AND created_at <= $1
        AND (payment_status <> 'processing' OR created_at <= $2)
    ORDER BY created_at LIMIT $3";
/// When the oldest unpaid order was placed, of those whose payment is being processed or of the others.
pub const OLDEST_UNPAID: &str = "SELECT created_at FROM orders
    WHERE captured = 0 AND status IN ('pending', 'confirmed') AND (payment_status = 'processing') = $1
    ORDER BY created_at LIMIT 1";
/// How many orders are in each status: all of them are counted, by an index alone where the table is kept tidy.
const COUNT: &str = "SELECT status, count(*) FROM orders GROUP BY status";
/// The status of an order.
pub const STATUS: &str = "SELECT status FROM orders WHERE id = $1";

/// Orders in a PostgreSQL database.
pub struct PgOrderRepository {
    db: Postgres,
}

impl PgOrderRepository {
    /// The orders in an open database, which was migrated by [`MIGRATIONS`].
    #[must_use]
    pub const fn new(db: Postgres) -> Self {
        Self { db }
    }
}

#[async_trait]
impl OrderRepository for PgOrderRepository {
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
        customers::unpaid(&mut *self.db.pool().acquire().await?, user).await
    }

    async fn mark_customer_deleted(&self, user: UserId, now: DateTime<Utc>) -> Result<Vec<OrderId>, StoreError> {
        // A statement of its own: once it has waited for orders that are being written, the next one sees them.
        let tombstone = sqlx::query(
            "INSERT INTO customers AS known (user_id, deleted_at) VALUES ($1, $2)
             ON CONFLICT (user_id) DO UPDATE SET deleted_at = coalesce(known.deleted_at, excluded.deleted_at)",
        );
        tombstone.bind(user.as_uuid()).bind(now).execute(&mut *self.db.pool().acquire().await?).await?;
        let rows = sqlx::query(customers::UNPAID_IDS).bind(user.as_uuid());
        let rows = rows.fetch_all(&mut *self.db.pool().acquire().await?).await?;
        rows.iter().map(|row| Ok(OrderId::from_uuid(row.try_get("id")?))).collect()
    }

    async fn update(&self, id: OrderId, decide: &mut UpdateFn<'_>) -> Result<Option<Order>, StoreError> {
        let mut tx = self.db.begin().await?;
        let Some(before) = read::locked(&mut tx, id).await? else {
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
        // One snapshot, so that the order and its payments are of one moment.
        let mut tx = self.db.snapshot().await?;
        let order = read::order(&mut tx, id).await?;
        tx.commit().await?;
        Ok(order)
    }

    async fn find_by_number(&self, number: &OrderNumber) -> Result<Option<Order>, StoreError> {
        let mut tx = self.db.snapshot().await?;
        let order = read::order_by_number(&mut tx, number).await?;
        tx.commit().await?;
        Ok(order)
    }

    async fn list(&self, filter: OrderFilter, offset: i64, limit: i64) -> Result<OrderPage, StoreError> {
        let mut tx = self.db.snapshot().await?;
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
        timeline::read(&mut *self.db.pool().acquire().await?, id).await
    }

    async fn audit_page(&self, after: Option<OrderId>, limit: i64) -> Result<Vec<OrderAuditRecord>, StoreError> {
        let mut tx = self.db.snapshot().await?;
        let audited = read::audited(&mut tx, after, limit).await?;
        tx.commit().await?;
        Ok(audited)
    }

    async fn insert_tombstone(&self, id: OrderId, now: DateTime<Utc>) -> Result<Option<OrderStatus>, StoreError> {
        // A statement of its own: once it has waited for an order that is being written, the next one sees it.
        let tombstone = sqlx::query("INSERT INTO order_ids (id, abandoned_at) VALUES ($1, $2) ON CONFLICT DO NOTHING");
        tombstone.bind(id.as_uuid()).bind(now).execute(&mut *self.db.pool().acquire().await?).await?;
        let status =
            sqlx::query(STATUS).bind(id.as_uuid()).fetch_optional(&mut *self.db.pool().acquire().await?).await?;
        status.map(|row| parse_col(row.try_get("status")?, "order status")).transpose()
    }

    async fn count_by_status(&self) -> Result<Vec<(OrderStatus, i64)>, StoreError> {
        let rows = sqlx::query(COUNT).fetch_all(&mut *self.db.pool().acquire().await?).await?;
        rows.iter().map(|row| Ok((parse_col(row.try_get("status")?, "order status")?, row.try_get("count")?))).collect()
    }

    async fn list_unpaid_before(
        &self,
        waiting: DateTime<Utc>,
        processing: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<OrderId>, StoreError> {
        let rows = sqlx::query(UNPAID)
            .bind(waiting)
            .bind(processing)
            .bind(i64::from(limit))
            .fetch_all(&mut *self.db.pool().acquire().await?)
            .await?;
        rows.iter().map(|row| Ok(OrderId::from_uuid(row.try_get("id")?))).collect()
    }

    async fn oldest_unpaid_at(&self, processing: bool) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(sqlx::query_scalar(OLDEST_UNPAID)
            .bind(processing)
            .fetch_optional(&mut *self.db.pool().acquire().await?)
            .await?)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.db.ping().await
    }
}
