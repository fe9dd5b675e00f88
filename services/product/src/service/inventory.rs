//! Stock and reservations.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::database::store::StoreError;
use common::database::transaction_effects::{Effects, InboxRecord};
use common::telemetry::clock::SharedClock;
use contracts::api::{AbandonResponse, Product, Reservation, ReservationLine, ReservationStatus, Shortage};
use contracts::audit::ProductAudit;
use contracts::{OrderId, ProductId};

use super::product_cache::ProductCache;
use crate::domain::{
    self, NewAdjustment, NewReservation, Page, PageRequest, ReservationAction, StockAdjustment, merge_lines,
    on_abandoned, on_cancelled, on_confirmed, on_released,
};
use crate::error::Error;
use crate::metrics::ProductMetrics;
use crate::repository::{AdjustOutcome, InventoryRepository, ProductRepository, ReserveOutcome};

/// Use cases of stock and reservations. Clones share repositories and cache.
#[derive(Clone)]
pub(crate) struct InventoryService {
    inventory: Arc<dyn InventoryRepository>,
    products: Arc<dyn ProductRepository>,
    cache: ProductCache,
    clock: SharedClock,
    reservation_ttl: TimeDelta,
    metrics: ProductMetrics,
}

impl InventoryService {
    pub(crate) fn new(
        inventory: Arc<dyn InventoryRepository>,
        products: Arc<dyn ProductRepository>,
        cache: ProductCache,
        clock: SharedClock,
        reservation_ttl: TimeDelta,
        metrics: ProductMetrics,
    ) -> Self {
        Self { inventory, products, cache, clock, reservation_ttl, metrics }
    }

    /// Returns the available stock of an active product.
    pub(crate) async fn available(&self, id: ProductId) -> Result<i64, Error> {
        let product = self.products.find(id).await?.filter(|product| product.active);
        Ok(product.ok_or(Error::ProductNotFound)?.stock_quantity)
    }

    /// Adjusts the available stock manually.
    pub(crate) async fn adjust(&self, id: ProductId, new: &NewAdjustment) -> Result<Product, Error> {
        let (now, change) = (self.clock.now(), new.quantity);
        let effects = |product: &Product| Effects::event(now, domain::stock_updated_event(product, change));
        let adjusted = self.inventory.adjust(id, new, now, &effects).await;
        self.cache.invalidate(id).await;
        match adjusted? {
            AdjustOutcome::Adjusted(product) => Ok(*product),
            AdjustOutcome::NotFound => Err(Error::ProductNotFound),
            AdjustOutcome::Insufficient(available) => {
                let requested = change.saturating_neg();
                Err(Error::InsufficientStock(vec![Shortage { product_id: id, requested, available }]))
            }
            AdjustOutcome::LimitExceeded => Err(Error::StockLimitExceeded),
        }
    }

    /// Returns a page of a product's manual adjustments, newest first.
    pub(crate) async fn adjustments(&self, id: ProductId, page: PageRequest) -> Result<Page<StockAdjustment>, Error> {
        self.inventory.adjustments(id, page).await?.ok_or(Error::ProductNotFound)
    }

    /// Reserves all lines or none; returns true beside a reservation that is new.
    pub(crate) async fn reserve(
        &self,
        order_id: OrderId,
        lines: &[ReservationLine],
    ) -> Result<(Reservation, bool), Error> {
        let now = self.clock.now();
        let new = NewReservation { order_id, lines: merge_lines(lines), expires_at: now + self.reservation_ttl };
        let reserved = self.inventory.reserve(&new, now, &Effects::event(now, new.event())).await;
        self.cache.invalidate_lines(&new.lines).await;
        match reserved? {
            ReserveOutcome::Created(reservation) => Ok((reservation, true)),
            ReserveOutcome::Existing(existing) => match existing.status {
                ReservationStatus::Released => Err(Error::ReservationReleased),
                ReservationStatus::Committed => Err(Error::ReservationCommitted),
                ReservationStatus::Reserved | ReservationStatus::Held if existing.items != new.lines => {
                    Err(Error::ReservationMismatch)
                }
                ReservationStatus::Reserved | ReservationStatus::Held => Ok((existing, false)),
            },
            ReserveOutcome::ProductsNotFound(ids) => Err(Error::ProductsNotFound(ids)),
            ReserveOutcome::Insufficient(shortages) => {
                self.metrics.stock_shortages.inc();
                Err(Error::InsufficientStock(shortages))
            }
        }
    }

    /// Returns the reservation of an order.
    pub(crate) async fn find_reservation(&self, order: OrderId) -> Result<Reservation, Error> {
        self.inventory.find_reservation(order).await?.ok_or(Error::ReservationNotFound)
    }

    /// Releases the reservation of an order. Without a reservation, none can be created later.
    pub(crate) async fn release(&self, order: OrderId) -> Result<(), Error> {
        let rule = |status| on_released(status).unwrap_or(ReservationAction::Keep);
        match self.update_reservation(order, None, rule).await? {
            (_, Some(Reservation { status: ReservationStatus::Committed, .. })) => Err(Error::ReservationCommitted),
            _ => Ok(()),
        }
    }

    /// Commits the reservation of a confirmed order.
    pub(crate) async fn commit(&self, order: OrderId, inbox: InboxRecord) -> Result<(), StoreError> {
        self.update_reservation(order, Some(inbox), on_confirmed).await.map(drop)
    }

    /// Returns the stock of a cancelled order.
    pub(crate) async fn cancel(&self, order: OrderId, inbox: InboxRecord) -> Result<(), StoreError> {
        self.update_reservation(order, Some(inbox), on_cancelled).await.map(drop)
    }

    /// Resolves an expired reservation, given the order service's response.
    pub(crate) async fn expire(&self, order: OrderId, outcome: &AbandonResponse) -> Result<(), StoreError> {
        let (action, _) = self.update_reservation(order, None, |status| on_abandoned(status, outcome)).await?;
        if action == ReservationAction::Expire {
            self.metrics.expired_reservations.inc();
        }
        Ok(())
    }

    /// Returns orders whose reservations are due, with the number of previous attempts.
    pub(crate) async fn list_due(&self, limit: u32) -> Result<Vec<(OrderId, u32)>, StoreError> {
        self.inventory.list_due(self.clock.now(), limit).await
    }

    /// Returns the time at which the next reservation is due.
    pub(crate) async fn next_due_at(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.inventory.next_due_at().await
    }

    /// Postpones the expiry of a reservation.
    pub(crate) async fn postpone(&self, order: OrderId, delay: Duration) -> Result<(), StoreError> {
        self.inventory.postpone(order, self.clock.now() + delay).await
    }

    /// Updates the gauge of products without available stock.
    pub(crate) async fn count_out_of_stock(&self) -> Result<(), StoreError> {
        self.metrics.out_of_stock.set(self.inventory.count_out_of_stock().await?);
        Ok(())
    }

    /// Returns the stock balances of products in the order of their ids.
    pub(crate) async fn audit_page(
        &self,
        after: Option<ProductId>,
        limit: i64,
    ) -> Result<Vec<ProductAudit>, StoreError> {
        self.inventory.audit_page(after, limit).await
    }

    /// Applies the action that the rule chooses; returns it with the resulting reservation.
    async fn update_reservation(
        &self,
        order: OrderId,
        inbox: Option<InboxRecord>,
        rule: impl Fn(Option<ReservationStatus>) -> ReservationAction + Send + Sync,
    ) -> Result<(ReservationAction, Option<Reservation>), StoreError> {
        let now = self.clock.now();
        // The repository may decide again: the last decision counts.
        let decision = Mutex::new((ReservationAction::Keep, Vec::new()));
        let decide = |current: Option<&Reservation>| {
            let action = rule(current.map(|reservation| reservation.status));
            if let Ok(mut decision) = decision.lock() {
                *decision = (action, current.map(|reservation| reservation.items.clone()).unwrap_or_default());
            }
            let event = current.and_then(|reservation| action.event(reservation));
            let effects = event.map_or_else(Effects::none, |event| Effects::event(now, event));
            (action, Effects { inbox, ..effects })
        };
        let updated = self.inventory.update(order, now, &decide).await;
        let (action, lines) = decision.into_inner().unwrap_or((ReservationAction::Keep, Vec::new()));
        // Regardless of the outcome: a commit that was reported as failed may have succeeded.
        self.cache.invalidate_lines(&lines).await;
        Ok((action, updated?))
    }
}
