use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use common::effects::Effects;
use common::sqlite::{Sqlite, from_ms, ms, parse_col};
use common::store::StoreError;
use contracts::audit::ProductAudit;
use contracts::calls::{Product, Reservation};
use contracts::{OrderId, ProductId};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{read, reservations};
use crate::domain::{MAX_STOCK, NewReservation, ReservationAction};
use crate::repository::{AdjustOutcome, DecideFn, EffectsFn, InventoryRepository, ReserveOutcome};

/// Pieces and reservations in a SQLite file.
pub struct SqliteInventoryRepository {
    db: Sqlite,
}

impl SqliteInventoryRepository {
    /// Those in an open file, which was migrated by [`super::MIGRATIONS`].
    #[must_use]
    pub const fn new(db: Sqlite) -> Self {
        Self { db }
    }
}

#[async_trait]
impl InventoryRepository for SqliteInventoryRepository {
    async fn adjust(
        &self,
        product: ProductId,
        by: i64,
        now: DateTime<Utc>,
        tell: &EffectsFn<'_, Product>,
    ) -> Result<AdjustOutcome, StoreError> {
        let mut tx = self.db.begin().await?;
        let updated = sqlx::query(
            "UPDATE products SET stock_quantity = stock_quantity + ?1, adjustments = adjustments + ?1, updated_at = ?2
             WHERE id = ?3 AND stock_quantity + ?1 >= 0 AND (?1 < 0 OR stock_quantity + ?1 <= ?4)",
        )
        .bind(by)
        .bind(ms(now))
        .bind(product.get())
        .bind(MAX_STOCK)
        .execute(&mut *tx)
        .await?;
        let found = read::product(&mut tx, product).await?;
        match found {
            Some(product) if updated.rows_affected() == 1 => {
                self.db.commit(tx, &tell(&product)).await?;
                Ok(AdjustOutcome::Adjusted(Box::new(product)))
            }
            refused => {
                tx.rollback().await?;
                Ok(match refused {
                    None => AdjustOutcome::NotFound,
                    Some(product) if by < 0 => AdjustOutcome::Insufficient(product.stock_quantity),
                    Some(_) => AdjustOutcome::LimitExceeded,
                })
            }
        }
    }

    async fn reserve(
        &self,
        new: &NewReservation,
        now: DateTime<Utc>,
        effects: &Effects,
    ) -> Result<ReserveOutcome, StoreError> {
        let mut tx = self.db.begin().await?;
        if let Some(existing) = reservations::find(&mut tx, new.order_id).await? {
            tx.rollback().await?;
            return Ok(ReserveOutcome::Existing(existing));
        }
        if let Some(refused) = reservations::take(&mut tx, &new.lines).await? {
            tx.rollback().await?;
            return Ok(refused);
        }
        let reservation = reservations::insert(&mut tx, new, now).await?;
        self.db.commit(tx, effects).await?;
        Ok(ReserveOutcome::Created(reservation))
    }

    async fn find_reservation(&self, order: OrderId) -> Result<Option<Reservation>, StoreError> {
        let mut tx = self.db.reader().begin().await?;
        let reservation = reservations::find(&mut tx, order).await?;
        tx.commit().await?;
        Ok(reservation)
    }

    async fn update(
        &self,
        order: OrderId,
        now: DateTime<Utc>,
        decide: &DecideFn<'_>,
    ) -> Result<Option<Reservation>, StoreError> {
        let mut tx = self.db.begin().await?;
        let before = reservations::find(&mut tx, order).await?;
        let (step, effects) = decide(before.as_ref());
        if step == ReservationAction::Keep && effects == Effects::none() {
            tx.rollback().await?;
            return Ok(before);
        }
        let after = reservations::carry_out(&mut tx, order, before, step, now).await?;
        self.db.commit(tx, &effects).await?;
        Ok(after)
    }

    async fn list_due(&self, now: DateTime<Utc>, most: u32) -> Result<Vec<(OrderId, u32)>, StoreError> {
        let query = sqlx::query("SELECT order_id, tries FROM reservations WHERE due_at <= ? ORDER BY due_at LIMIT ?");
        let rows = query.bind(ms(now)).bind(most).fetch_all(&mut *self.db.reader().acquire().await?).await?;
        rows.iter().map(|row| Ok((parse_col(row.try_get("order_id")?, "order id")?, row.try_get("tries")?))).collect()
    }

    async fn next_due_at(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let query =
            sqlx::query_scalar::<_, Option<i64>>("SELECT min(due_at) FROM reservations WHERE due_at IS NOT NULL");
        query.fetch_one(&mut *self.db.reader().acquire().await?).await?.map(from_ms).transpose()
    }

    async fn postpone(&self, order: OrderId, until: DateTime<Utc>) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let query = sqlx::query(
            "UPDATE reservations SET due_at = ?, tries = tries + 1 WHERE order_id = ? AND status = 'reserved'",
        );
        query.bind(ms(until)).bind(order.to_string()).execute(&mut *tx).await?;
        self.db.commit(tx, &Effects::none()).await
    }
    async fn count_out_of_stock(&self) -> Result<i64, StoreError> {
        let count = sqlx::query_scalar("SELECT count(*) FROM products WHERE active AND stock_quantity <= 0");
        Ok(count.fetch_one(&mut *self.db.reader().acquire().await?).await?)
    }

    async fn audit_page(&self, after: Option<ProductId>, limit: i64) -> Result<Vec<ProductAudit>, StoreError> {
        let mut tx = self.db.reader().begin().await?;
        let rows = sqlx::query(
            "SELECT id, initial, adjustments, stock_quantity, reserved, sold FROM products WHERE id > ? ORDER BY id LIMIT ?",
        );
        let rows = rows.bind(after.map_or(0, ProductId::get)).bind(limit).fetch_all(&mut *tx).await?;
        let expiring: Vec<(i64, i64)> = sqlx::query_as(
            "SELECT l.product_id, sum(l.quantity) FROM reservations r JOIN reservation_lines l USING (order_id)
             WHERE r.due_at IS NOT NULL GROUP BY l.product_id",
        )
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        let expiring: HashMap<_, _> = expiring.into_iter().collect();
        let read = |row: &SqliteRow| {
            let id: i64 = row.try_get("id")?;
            Ok(ProductAudit {
                id: ProductId::new(id),
                initial: row.try_get("initial")?,
                adjustments: row.try_get("adjustments")?,
                available: row.try_get("stock_quantity")?,
                reserved: row.try_get("reserved")?,
                sold: row.try_get("sold")?,
                expiring: expiring.get(&id).copied().unwrap_or_default(),
            })
        };
        rows.iter().map(read).collect()
    }
}
