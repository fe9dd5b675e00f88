//! Stock and reservations.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use common::database::store::StoreError;
use common::database::transaction_effects::Effects;
use common::database::{Database, Listing, OrderBy, Row, query};
use contracts::api::{Product, Reservation};
use contracts::audit::ProductAudit;
use contracts::{OrderId, ProductId};

use super::{product_rows, reservations};
use crate::domain::{MAX_STOCK, NewAdjustment, NewReservation, Page, PageRequest, ReservationAction, StockAdjustment};
use crate::repository::{AdjustOutcome, DecideFn, EffectsFn, InventoryRepository, ReserveOutcome};

/// Due reservations, longest due first.
pub const DUE: &str = "SELECT order_id, tries FROM reservations WHERE due_at <= $1 ORDER BY due_at LIMIT $2";
/// Time at which the next reservation is due.
pub const NEXT_DUE: &str = "SELECT due_at FROM reservations WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1";
/// Stock balances of products by id.
pub const AUDIT_PAGE: &str = "SELECT id, initial, adjustments, stock_quantity, reserved, sold FROM products
    WHERE id > $1 ORDER BY id LIMIT $2";
/// Stock of each product in reservations that may expire.
const EXPIRING: &str = "SELECT l.product_id, CAST(sum(l.quantity) AS BIGINT) AS quantity FROM reservations r
    JOIN reservation_lines l USING (order_id) WHERE r.due_at IS NOT NULL GROUP BY l.product_id";
/// Number of active products without available stock. All are counted: an index would slow down every change of stock.
const OUT_OF_STOCK: &str = "SELECT count(*) FROM products WHERE active AND stock_quantity <= 0";
const ADJUST: &str = "UPDATE products SET stock_quantity = stock_quantity + $1, adjustments = adjustments + $1,
        updated_at = $2
    WHERE id = $3 AND stock_quantity + $1 >= 0 AND ($1 < 0 OR stock_quantity + $1 <= $4)";
const RECORD: &str =
    "INSERT INTO stock_adjustments (product_id, quantity, reason, actor, created_at) VALUES ($1, $2, $3, $4, $5)";
const PRODUCT_EXISTS: &str = "SELECT 1 FROM products WHERE id = $1";
const POSTPONE: &str =
    "UPDATE reservations SET due_at = $1, tries = tries + 1 WHERE order_id = $2 AND status = 'reserved'";

/// Stock and reservations in a database.
pub(super) struct SqlInventoryRepository {
    db: Database,
}

impl SqlInventoryRepository {
    pub(super) const fn new(db: Database) -> Self {
        Self { db }
    }
}

#[async_trait]
impl InventoryRepository for SqlInventoryRepository {
    async fn adjust(
        &self,
        product: ProductId,
        new: &NewAdjustment,
        now: DateTime<Utc>,
        effects: &EffectsFn<'_, Product>,
    ) -> Result<AdjustOutcome, StoreError> {
        let change = new.quantity;
        let mut tx = self.db.begin().await?;
        let adjusted = query(ADJUST).bind(change).bind(now).bind(product).bind(MAX_STOCK).execute(&mut tx).await?;
        let found = product_rows::find(&mut tx, product).await?;
        let rejected = match found {
            Some(product) if adjusted == 1 => {
                let record = query(RECORD).bind(product.id).bind(change).bind(&new.reason);
                record.bind(new.actor.to_string()).bind(now).execute(&mut tx).await?;
                self.db.commit(tx, &effects(&product)).await?;
                return Ok(AdjustOutcome::Adjusted(Box::new(product)));
            }
            None => AdjustOutcome::NotFound,
            Some(product) if change < 0 => AdjustOutcome::Insufficient(product.stock_quantity),
            Some(_) => AdjustOutcome::LimitExceeded,
        };
        tx.rollback().await?;
        Ok(rejected)
    }

    async fn adjustments(
        &self,
        product: ProductId,
        page: PageRequest,
    ) -> Result<Option<Page<StockAdjustment>>, StoreError> {
        let mut tx = self.db.snapshot().await?;
        if query(PRODUCT_EXISTS).bind(product).fetch_optional(&mut tx).await?.is_none() {
            return Ok(None);
        }
        let found = adjustment_listing(product).fetch_page(&mut tx, page.offset(), page.limit()).await?;
        tx.commit().await?;
        Ok(Some(Page::new(page, found.total, found.rows.iter().map(map_adjustment).collect::<Result<_, _>>()?)))
    }

    async fn reserve(
        &self,
        new: &NewReservation,
        now: DateTime<Utc>,
        effects: &Effects,
    ) -> Result<ReserveOutcome, StoreError> {
        let mut tx = self.db.begin().await?;
        if !reservations::insert_reservation(&mut tx, new, now).await? {
            let existing = reservations::find(&mut tx, new.order_id).await?;
            tx.rollback().await?;
            let missing = || StoreError::Decode(format!("the reservation of order {} is missing", new.order_id));
            return existing.map(ReserveOutcome::Existing).ok_or_else(missing);
        }
        if let Some(rejected) = reservations::move_to_reserved(&mut tx, &new.lines).await? {
            tx.rollback().await?;
            return Ok(rejected);
        }
        let reservation = reservations::insert_lines(&mut tx, new).await?;
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
        // The absence of a reservation cannot be locked. If one is inserted meanwhile, decide again.
        loop {
            let mut tx = self.db.begin().await?;
            let current = reservations::find_for_update(&mut tx, order).await?;
            let (action, effects) = decide(current.as_ref());
            if action == ReservationAction::Keep && effects == Effects::none() {
                tx.rollback().await?;
                return Ok(current);
            }
            let absent = current.is_none();
            match reservations::apply(&mut tx, order, current, action, now).await {
                Err(error) if absent && error.unique().is_some() => tx.rollback().await?,
                Err(error) => return Err(error),
                Ok(updated) => {
                    self.db.commit(tx, &effects).await?;
                    return Ok(updated);
                }
            }
        }
    }

    async fn list_due(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<(OrderId, u32)>, StoreError> {
        let rows = query(DUE).bind(now).bind(limit).fetch_all(&mut self.db.reader().await?).await?;
        rows.iter().map(|row| Ok((row.get("order_id")?, row.get("tries")?))).collect()
    }

    async fn next_due_at(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        query(NEXT_DUE).fetch_optional_scalar(&mut self.db.reader().await?).await
    }

    async fn postpone(&self, order: OrderId, until: DateTime<Utc>) -> Result<(), StoreError> {
        query(POSTPONE).bind(until).bind(order).execute(&mut self.db.writer().await?).await?;
        Ok(())
    }

    async fn count_out_of_stock(&self) -> Result<i64, StoreError> {
        query(OUT_OF_STOCK).fetch_scalar(&mut self.db.reader().await?).await
    }

    async fn audit_page(&self, after: Option<ProductId>, limit: i64) -> Result<Vec<ProductAudit>, StoreError> {
        let mut tx = self.db.snapshot().await?;
        let after = after.map_or(0, ProductId::get);
        let rows = query(AUDIT_PAGE).bind(after).bind(limit).fetch_all(&mut tx).await?;
        let mut expiring = HashMap::new();
        for row in query(EXPIRING).fetch_all(&mut tx).await? {
            expiring.insert(row.get("product_id")?, row.get("quantity")?);
        }
        tx.commit().await?;
        rows.iter().map(|row| map_audit(row, &expiring)).collect()
    }
}

/// Returns the list of a product's adjustments, newest first.
#[must_use]
pub fn adjustment_listing(product: ProductId) -> Listing<'static> {
    const NEWEST: &[OrderBy] = &[OrderBy::desc("id")];
    let mut listing = Listing::new("id, quantity, reason, actor, created_at", "stock_adjustments", NEWEST);
    listing.filter("product_id = ?", Some(product));
    listing
}

fn map_adjustment(row: &Row) -> Result<StockAdjustment, StoreError> {
    Ok(StockAdjustment {
        id: row.get("id")?,
        quantity: row.get("quantity")?,
        reason: row.get("reason")?,
        actor: row.parse("actor")?,
        created_at: row.get("created_at")?,
    })
}

fn map_audit(row: &Row, expiring: &HashMap<ProductId, i64>) -> Result<ProductAudit, StoreError> {
    let id = row.get("id")?;
    Ok(ProductAudit {
        id,
        initial: row.get("initial")?,
        adjustments: row.get("adjustments")?,
        available: row.get("stock_quantity")?,
        reserved: row.get("reserved")?,
        sold: row.get("sold")?,
        expiring: expiring.get(&id).copied().unwrap_or_default(),
    })
}
