//! Port of stock and reservations.

use chrono::{DateTime, Utc};
use common::database::store::StoreError;
use common::database::transaction_effects::Effects;
use contracts::api::{Product, Reservation, Shortage};
use contracts::audit::ProductAudit;
use contracts::{OrderId, ProductId};

use super::effects_fn::EffectsFn;
use crate::domain::{NewAdjustment, NewReservation, Page, PageRequest, ReservationAction, StockAdjustment};

/// Choice of the action for the locked reservation of an order, or for its absence. It may run again.
pub type DecideFn<'a> = dyn Fn(Option<&Reservation>) -> (ReservationAction, Effects) + Send + Sync + 'a;

/// Result of a manual stock adjustment.
#[derive(Clone, Debug, PartialEq)]
pub enum AdjustOutcome {
    /// Adjust outcome: adjusted product.
    Adjusted(Box<Product>),
    /// Adjust outcome: unknown product.
    NotFound,
    /// Available stock, too low for the adjustment.
    Insufficient(i64),
    /// Stock above [`crate::domain::MAX_STOCK`].
    LimitExceeded,
}

/// Result of a reservation.
#[derive(Clone, Debug, PartialEq)]
pub enum ReserveOutcome {
    /// Reserve outcome: new reservation.
    Created(Reservation),
    /// Previous reservation of the order; nothing changed.
    Existing(Reservation),
    /// Reserve outcome: unknown or inactive products; nothing changed.
    ProductsNotFound(Vec<ProductId>),
    /// Reserve outcome: products with insufficient stock; nothing changed.
    Insufficient(Vec<Shortage>),
}

common::repository_trait! {
    /// Stock of products and reservations of orders.
    ///
    /// Invariant of each product: initial stock and adjustments equal available, reserved and sold stock, none of which is
    /// negative.
    pub trait InventoryRepository, instrumented as "stock" by InstrumentedInventoryRepository {
        /// Adjusts the available stock and records the adjustment.
        async fn adjust(
            &self,
            product: ProductId,
            new: &NewAdjustment,
            now: DateTime<Utc>,
            effects: &EffectsFn<'_, Product>,
        ) -> Result<AdjustOutcome, StoreError>;

        /// Returns a page of a product's adjustments, newest first; `None` if the product does not exist.
        async fn adjustments(
            &self,
            product: ProductId,
            page: PageRequest,
        ) -> Result<Option<Page<StockAdjustment>>, StoreError>;

        /// Reserves all lines or none.
        async fn reserve(
            &self,
            new: &NewReservation,
            now: DateTime<Utc>,
            effects: &Effects,
        ) -> Result<ReserveOutcome, StoreError>;

        /// Returns the reservation of an order.
        async fn find_reservation(&self, order: OrderId) -> Result<Option<Reservation>, StoreError>;

        /// Applies the action that `decide` chooses to the reservation of an order; returns the result.
        /// [`ReservationAction::Keep`] writes the effects only.
        ///
        /// # Errors
        /// [`StoreError::AlreadyHandled`]; [`StoreError::Internal`] if the reservation's status does not permit the action;
        /// or a failure of the database.
        async fn update(
            &self,
            order: OrderId,
            now: DateTime<Utc>,
            decide: &DecideFn<'_>,
        ) -> Result<Option<Reservation>, StoreError>;

        /// Returns orders whose reservations are due, longest due first, with the number of postponements.
        async fn list_due(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<(OrderId, u32)>, StoreError>;

        /// Returns the time at which the next reservation is due.
        async fn next_due_at(&self) -> Result<Option<DateTime<Utc>>, StoreError>;

        /// Postpones a reservation that is still reserved.
        async fn postpone(&self, order: OrderId, until: DateTime<Utc>) -> Result<(), StoreError>;

        /// Returns the number of active products without available stock.
        async fn count_out_of_stock(&self) -> Result<i64, StoreError>;

        /// Returns the stock balances of up to `limit` products by id, starting behind `after`.
        async fn audit_page(
            &self,
            after: Option<ProductId>,
            limit: i64,
        ) -> Result<Vec<ProductAudit>, StoreError>;
    }
}
