use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use common::effects::Effects;
use common::postgres::Postgres;
use common::store::StoreError;
use contracts::audit::ProductAudit;
use contracts::calls::{Product, Reservation};
use contracts::{OrderId, ProductId};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::{read, reservations};
use crate::domain::{MAX_STOCK, NewReservation, ReservationAction};
use crate::repository::{AdjustOutcome, DecideFn, EffectsFn, InventoryRepository, ReserveOutcome};

/// Reservations that are due to be asked about, the longest due first.
pub const DUE: &str = "SELECT order_id, tries FROM reservations WHERE due_at <= $1 ORDER BY due_at LIMIT $2";
/// When the first falls due.
pub const NEXT_DUE: &str = "SELECT due_at FROM reservations WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1";
/// The pieces of products by id, from one on.
pub const AUDITED: &str = "SELECT id, initial, adjustments, stock_quantity, reserved, sold FROM products
    WHERE id > $1 ORDER BY id LIMIT $2";
/// The pieces of each product whose reservation still runs out.
const EXPIRING: &str = "SELECT l.product_id, sum(l.quantity)::bigint FROM reservations r
    JOIN reservation_lines l USING (order_id) WHERE r.due_at IS NOT NULL GROUP BY l.product_id";

/// How many active products have no piece left: all are counted, since an index would cost each change of a stock more.
const SOLD_OUT: &str = "SELECT count(*) FROM products WHERE active AND stock_quantity <= 0";

/// Pieces and reservations in a PostgreSQL database.
pub struct PostgresInventoryRepository {
    db: Postgres,
}

impl PostgresInventoryRepository {
    /// Those in an open database, which was migrated by [`super::MIGRATIONS`].
    #[must_use]
    pub const fn new(db: Postgres) -> Self {
        Self { db }
    }
}

#[async_trait]
impl InventoryRepository for PostgresInventoryRepository {
    async fn adjust(
        &self,
        product: ProductId,
        by: i64,
        now: DateTime<Utc>,
        tell: &EffectsFn<'_, Product>,
    ) -> Result<AdjustOutcome, StoreError> {
        let mut tx = self.db.begin().await?;
        let updated = sqlx::query(
            "UPDATE products SET stock_quantity = stock_quantity + $1, adjustments = adjustments + $1, updated_at = $2
             WHERE id = $3 AND stock_quantity + $1 >= 0 AND ($1 < 0 OR stock_quantity + $1 <= $4)",
        )
        .bind(by)
        .bind(now)
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
        if !reservations::begin(&mut tx, new, now).await? {
            let existing = reservations::find(&mut tx, new.order_id).await?;
            tx.rollback().await?;
            let gone = || StoreError::Corrupt(format!("the reservation of order {} is gone", new.order_id));
            return existing.map(ReserveOutcome::Existing).ok_or_else(gone);
        }
        if let Some(refused) = reservations::take(&mut tx, &new.lines).await? {
            tx.rollback().await?;
            return Ok(refused);
        }
        let reservation = reservations::fill(&mut tx, new).await?;
        self.db.commit(tx, effects).await?;
        Ok(ReserveOutcome::Created(reservation))
    }

    async fn find_reservation(&self, order: OrderId) -> Result<Option<Reservation>, StoreError> {
        let mut tx = self.db.snapshot().await?;
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
        // Where there is none, one may be written while it is decided what that means: then it is decided anew.
        loop {
            let mut tx = self.db.begin().await?;
            let before = reservations::locked(&mut tx, order).await?;
            let (step, effects) = decide(before.as_ref());
            if step == ReservationAction::Keep && effects == Effects::none() {
                tx.rollback().await?;
                return Ok(before);
            }
            let none = before.is_none();
            match reservations::carry_out(&mut tx, order, before, step, now).await {
                Err(error) if none && error.unique().is_some() => tx.rollback().await?,
                Err(error) => return Err(error),
                Ok(after) => {
                    self.db.commit(tx, &effects).await?;
                    return Ok(after);
                }
            }
        }
    }

    async fn list_due(&self, now: DateTime<Utc>, most: u32) -> Result<Vec<(OrderId, u32)>, StoreError> {
        let rows =
            sqlx::query(DUE).bind(now).bind(i64::from(most)).fetch_all(&mut *self.db.pool().acquire().await?).await?;
        let read = |row: &PgRow| {
            let tries: i64 = row.try_get("tries")?;
            Ok((OrderId::from_uuid(row.try_get("order_id")?), u32::try_from(tries).unwrap_or(u32::MAX)))
        };
        rows.iter().map(read).collect()
    }

    async fn next_due_at(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(sqlx::query_scalar(NEXT_DUE).fetch_optional(&mut *self.db.pool().acquire().await?).await?)
    }

    async fn postpone(&self, order: OrderId, until: DateTime<Utc>) -> Result<(), StoreError> {
        let query = sqlx::query(
            "UPDATE reservations SET due_at = $1, tries = tries + 1 WHERE order_id = $2 AND status = 'reserved'",
        );
        query.bind(until).bind(order.as_uuid()).execute(&mut *self.db.pool().acquire().await?).await?;
        Ok(())
    }

    async fn count_out_of_stock(&self) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar(SOLD_OUT).fetch_one(&mut *self.db.pool().acquire().await?).await?)
    }

    async fn audit_page(&self, after: Option<ProductId>, limit: i64) -> Result<Vec<ProductAudit>, StoreError> {
        let mut tx = self.db.snapshot().await?;
        let after = after.map_or(0, ProductId::get);
        let rows = sqlx::query(AUDITED).bind(after).bind(limit).fetch_all(&mut *tx).await?;
        let expiring: Vec<(i64, i64)> = sqlx::query_as(EXPIRING).fetch_all(&mut *tx).await?;
        tx.commit().await?;
        let expiring: HashMap<_, _> = expiring.into_iter().collect();
        let read = |row: &PgRow| {
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
