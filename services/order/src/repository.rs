//! Ports for the storage of orders and carts.

use chrono::{DateTime, Utc};
use common::database::store::StoreError;
use common::database::{Page, Period, Start};
use contracts::api::OrderStatus;
use contracts::{OrderId, UserId};

use crate::domain::{NewOrder, Order, OrderError, OrderNumber, TimelineEntry, UnpaidLimits, UnpaidTotals};

mod carts;
mod effects;
mod lists;
pub mod sql;

pub use carts::{CartExpiry, CartRepository, InstrumentedCartRepository};
pub use effects::OrderEffects;
pub use lists::{OrderFilter, OrderSummary, StatusTotal};

/// Constraint violated by a second order with the same number.
pub const CONSTRAINT_ORDER_NUMBER: &str = "orders.order_number";
/// Constraint violated by an order whose id has a tombstone or exists.
pub const CONSTRAINT_ORDER_ID: &str = "order_ids.id";

/// Mutation of a locked order. Returned effects commit atomically with it; `None` rolls back.
pub type UpdateFn<'a> = dyn FnMut(&mut Order) -> Option<OrderEffects> + Send + 'a;

/// Order with the data that an audit needs beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderAuditRecord {
    /// Audited order.
    pub order: Order,
    /// Subject of the token that placed the order.
    pub placed_by: String,
    /// Idempotency key of the request that placed the order.
    pub idempotency_key: Option<String>,
}

common::repository_trait! {
    /// Storage of orders.
    pub trait OrderRepository, instrumented as "orders" by InstrumentedOrderRepository {
        /// Inserts an order unless the customer's account is deleted or the order exceeds the limits, which are checked
        /// under a lock of the customer, or the cart that it is placed from has changed. Empties the cart. A rejected
        /// order leaves no trace.
        ///
        /// # Errors
        /// [`StoreError::Unique`] with [`CONSTRAINT_ORDER_NUMBER`] or [`CONSTRAINT_ORDER_ID`]. After any error but
        /// [`StoreError::OutcomeUnknown`], nothing was written.
        async fn insert(
            &self,
            new_order: &NewOrder,
            limits: UnpaidLimits,
            effects: &OrderEffects,
        ) -> Result<Result<(), OrderError>, StoreError>;

        /// Returns the totals of a customer's unpaid orders.
        async fn unpaid_totals(&self, user: UserId) -> Result<UnpaidTotals, StoreError>;

        /// Records the deletion of a customer's account, after which no order and no cart of the customer is inserted, and
        /// orders that exist are found by their number alone; deletes the customer's carts. Returns the customer's unpaid
        /// orders.
        async fn mark_customer_deleted(&self, user: UserId, now: DateTime<Utc>) -> Result<Vec<OrderId>, StoreError>;

        /// Locks an order, applies `update` and commits the result with its effects. Returns the order after the update;
        /// `None` if the order does not exist. `update` is called at most once.
        async fn update(&self, id: OrderId, update: &mut UpdateFn<'_>) -> Result<Option<Order>, StoreError>;

        /// Returns an order by id.
        async fn find(&self, id: OrderId) -> Result<Option<Order>, StoreError>;

        /// Returns an order by number.
        async fn find_by_number(&self, number: &OrderNumber) -> Result<Option<Order>, StoreError>;

        /// Returns a page of up to `limit` orders that match the filter, newest first; `None` if it starts after an
        /// unknown order.
        async fn list(
            &self,
            filter: &OrderFilter,
            start: Start<OrderId>,
            limit: i64,
        ) -> Result<Option<Page<Order>>, StoreError>;

        /// Returns the summary of a period, with the amounts in this currency.
        async fn summary(&self, currency: &str, period: Period) -> Result<OrderSummary, StoreError>;

        /// Derives the search texts of up to `limit` orders that the previous version wrote last; returns their number.
        /// Concurrent instances index different orders.
        async fn index_pending(&self, limit: u32) -> Result<u64, StoreError>;

        /// Appends timeline entries, whose orders may not exist yet.
        ///
        /// # Errors
        /// [`StoreError::AlreadyHandled`]
        async fn append_timeline(&self, effects: &OrderEffects) -> Result<(), StoreError>;

        /// Returns the timeline of an order, oldest entry first.
        async fn timeline(&self, id: OrderId) -> Result<Vec<TimelineEntry>, StoreError>;

        /// Returns up to `limit` orders by ascending id, starting after `after`.
        async fn audit_page(&self, after: Option<OrderId>, limit: i64) -> Result<Vec<OrderAuditRecord>, StoreError>;

        /// Returns the status of an order. If the order does not exist, inserts a tombstone, so that it never will.
        async fn insert_tombstone(&self, id: OrderId, now: DateTime<Utc>) -> Result<Option<OrderStatus>, StoreError>;

        /// Returns the number of orders by status; statuses without orders may be omitted.
        async fn count_by_status(&self) -> Result<Vec<(OrderStatus, i64)>, StoreError>;

        /// Returns up to `limit` unpaid orders, oldest first, that were placed at `waiting` or before, or at `processing`
        /// or before if the provider is processing one of their payments.
        async fn list_unpaid_before(
            &self,
            waiting: DateTime<Utc>,
            processing: DateTime<Utc>,
            limit: u32,
        ) -> Result<Vec<OrderId>, StoreError>;

        /// Returns the placement time of the oldest unpaid order, either among those with a payment that the provider is
        /// processing or among the others.
        async fn oldest_unpaid_at(&self, processing: bool) -> Result<Option<DateTime<Utc>>, StoreError>;

        /// Checks that the database is available.
        async fn ping(&self) -> Result<(), StoreError>;
    }
}
