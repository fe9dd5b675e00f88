//! Repository on PostgreSQL and SQLite.
//!
//! Statements follow PostgreSQL's locking protocol: every update locks the order's row first, and every insertion the
//! customer's row and then the row of the ordered cart. An order and its tombstone contend for a row of `order_ids`: the
//! second transaction to insert it waits for the first to commit and then finds the row. The head of a timeline is locked
//! after these rows: it numbers the entries in the order in which their transactions commit.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use common::database::store::StoreError;
use common::database::{Database, Migrations, Page, Period, Start, query};
use contracts::api::OrderStatus;
use contracts::{OrderId, UserId};

use super::{OrderAuditRecord, OrderEffects, OrderFilter, OrderRepository, OrderSummary, UpdateFn};
use crate::domain::{NewOrder, Order, OrderError, OrderNumber, TimelineEntry, UnpaidLimits, UnpaidTotals};

mod carts;
mod customers;
pub mod lists;
mod read;
pub mod search_index;
pub mod statements;
mod timeline;
mod write;

pub use carts::{SqlCartRepository, statements as cart_statements};

/// Migrations of the order tables.
pub static MIGRATIONS: Migrations =
    Migrations { sqlite: sqlx::migrate!("migrations/sqlite"), postgres: sqlx::migrate!("migrations/postgres") };

/// Orders in a SQL database.
pub struct SqlOrderRepository {
    db: Database,
}

impl SqlOrderRepository {
    /// Creates the repository on a database with the tables of [`MIGRATIONS`].
    #[must_use]
    pub const fn new(db: Database) -> Self {
        Self { db }
    }
}

#[async_trait]
impl OrderRepository for SqlOrderRepository {
    async fn insert(
        &self,
        new_order: &NewOrder,
        limits: UnpaidLimits,
        effects: &OrderEffects,
    ) -> Result<Result<(), OrderError>, StoreError> {
        let mut tx = self.db.begin().await?;
        if let Err(error) = customers::lock_and_check_limits(&mut tx, &new_order.order, limits).await? {
            tx.rollback().await?;
            return Ok(Err(error));
        }
        if let Some(cart) = new_order.cart {
            let NewOrder { order, .. } = new_order;
            if !carts::empty_ordered(&mut tx, cart, order.user_id, order.created_at).await? {
                tx.rollback().await?;
                return Ok(Err(OrderError::CartChanged));
            }
        }
        write::insert_order(&mut tx, new_order).await?;
        timeline::insert_entries(&mut tx, &effects.entries).await?;
        self.db.commit(tx, &effects.effects).await?;
        if new_order.cart.is_some() {
            carts::hit("after-commit", "cart ordered");
        }
        Ok(Ok(()))
    }

    async fn unpaid_totals(&self, user: UserId) -> Result<UnpaidTotals, StoreError> {
        customers::unpaid_totals(&mut self.db.reader().await?, user).await
    }

    async fn mark_customer_deleted(&self, user: UserId, now: DateTime<Utc>) -> Result<Vec<OrderId>, StoreError> {
        let mut tx = self.db.begin().await?;
        let unpaid = customers::mark_deleted(&mut tx, user, now).await?;
        tx.commit().await?;
        Ok(unpaid)
    }

    async fn update(&self, id: OrderId, update: &mut UpdateFn<'_>) -> Result<Option<Order>, StoreError> {
        let mut tx = self.db.begin().await?;
        let Some(before) = read::find_for_update(&mut tx, id).await? else {
            tx.rollback().await?;
            return Ok(None);
        };
        let mut after = before.clone();
        let Some(effects) = update(&mut after) else {
            tx.rollback().await?;
            return Ok(Some(before));
        };
        if after != before {
            write::update_order(&mut tx, &before, &after).await?;
        }
        timeline::insert_entries(&mut tx, &effects.entries).await?;
        self.db.commit(tx, &effects.effects).await?;
        Ok(Some(after))
    }

    async fn find(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        // One snapshot, so that the order is consistent with its payments.
        let mut tx = self.db.snapshot().await?;
        let order = read::find(&mut tx, id).await?;
        tx.commit().await?;
        Ok(order)
    }

    async fn find_by_number(&self, number: &OrderNumber) -> Result<Option<Order>, StoreError> {
        let mut tx = self.db.snapshot().await?;
        let order = read::find_by_number(&mut tx, number).await?;
        tx.commit().await?;
        Ok(order)
    }

    async fn list(
        &self,
        filter: &OrderFilter,
        start: Start<OrderId>,
        limit: i64,
    ) -> Result<Option<Page<Order>>, StoreError> {
        let mut tx = self.db.snapshot().await?;
        let page = lists::fetch_page(&mut tx, filter, start, limit).await?;
        tx.commit().await?;
        Ok(page)
    }

    async fn summary(&self, currency: &str, period: Period) -> Result<OrderSummary, StoreError> {
        let mut tx = self.db.snapshot().await?;
        let summary = lists::fetch_summary(&mut tx, currency, period).await?;
        tx.commit().await?;
        Ok(summary)
    }

    async fn index_pending(&self, limit: u32) -> Result<u64, StoreError> {
        // Usually nothing is pending, and no write transaction is needed.
        if !search_index::is_pending(&mut self.db.reader().await?).await? {
            return Ok(0);
        }
        let mut tx = self.db.begin().await?;
        let indexed = search_index::index_pending(&mut tx, limit).await?;
        tx.commit().await?;
        Ok(indexed)
    }

    async fn append_timeline(&self, effects: &OrderEffects) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        timeline::insert_entries(&mut tx, &effects.entries).await?;
        self.db.commit(tx, &effects.effects).await
    }

    async fn timeline(&self, id: OrderId) -> Result<Vec<TimelineEntry>, StoreError> {
        let entries = timeline::find_entries(&mut self.db.reader().await?, id).await?;
        if entries.iter().all(|entry| entry.seq.is_some()) {
            return Ok(entries);
        }
        let mut tx = self.db.begin().await?;
        timeline::number_entries(&mut tx, id).await?;
        let mut entries = timeline::find_entries(&mut tx, id).await?;
        tx.commit().await?;
        // An entry that the version before has committed since; it gets the next number.
        entries.retain(|entry| entry.seq.is_some());
        Ok(entries)
    }

    async fn timeline_heads(&self, orders: &[OrderId]) -> Result<Vec<(OrderId, Option<i64>)>, StoreError> {
        let rows = query(&statements::TIMELINE_HEADS).bind(orders).fetch_all(&mut self.db.reader().await?).await?;
        rows.iter().map(|row| Ok((row.get("order_id")?, row.get("last_seq")?))).collect()
    }

    async fn audit_page(&self, after: Option<OrderId>, limit: i64) -> Result<Vec<OrderAuditRecord>, StoreError> {
        let mut tx = self.db.snapshot().await?;
        let records = read::audit_page(&mut tx, after, limit).await?;
        tx.commit().await?;
        Ok(records)
    }

    async fn insert_tombstone(&self, id: OrderId, now: DateTime<Utc>) -> Result<Option<OrderStatus>, StoreError> {
        let mut tx = self.db.begin().await?;
        // Waits for an order that is being inserted; the next statement then sees it.
        query(statements::INSERT_TOMBSTONE).bind(id).bind(now).execute(&mut tx).await?;
        let row = query(statements::STATUS).bind(id).fetch_optional(&mut tx).await?;
        tx.commit().await?;
        row.map(|row| row.parse("status")).transpose()
    }

    async fn count_by_status(&self) -> Result<Vec<(OrderStatus, i64)>, StoreError> {
        let rows = query(statements::COUNT_BY_STATUS).fetch_all(&mut self.db.reader().await?).await?;
        rows.iter().map(|row| Ok((row.parse("status")?, row.get("count")?))).collect()
    }

    async fn list_unpaid_before(
        &self,
        waiting: DateTime<Utc>,
        processing: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<OrderId>, StoreError> {
        let unpaid = query(statements::UNPAID_BEFORE).bind(waiting).bind(processing).bind(limit);
        unpaid.fetch_scalars(&mut self.db.reader().await?).await
    }

    async fn oldest_unpaid_at(&self, processing: bool) -> Result<Option<DateTime<Utc>>, StoreError> {
        let oldest = query(statements::OLDEST_UNPAID_AT).bind(processing);
        oldest.fetch_optional_scalar(&mut self.db.reader().await?).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.db.ping().await
    }
}
