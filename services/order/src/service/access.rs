//! Access control and the use cases of callers on a single order.

use common::auth::Caller;
use contracts::OrderId;

use super::OrderService;
use crate::domain::{Order, OrderError, OrderNumber, OrderUpdate, Role, TimelineEntry};
use crate::error::Error;

impl OrderService {
    /// Returns an order that the caller may see.
    ///
    /// # Errors
    /// [`OrderError::NotFound`], also for an order of another customer.
    pub(crate) async fn get(&self, caller: &Caller, id: OrderId) -> Result<Order, Error> {
        let order = self.find(id).await?.ok_or(OrderError::NotFound)?;
        ensure_visible(&order, caller)?;
        Ok(order)
    }

    /// Returns the order with this number if the caller may see it.
    ///
    /// # Errors
    /// [`OrderError::NotFound`], also for an order of another customer and for a text that is not a valid order number.
    pub(crate) async fn get_by_number(&self, caller: &Caller, number: &str) -> Result<Order, Error> {
        let number: OrderNumber = number.parse().map_err(|_| OrderError::NotFound)?;
        let order = self.repository().find_by_number(&number).await?.ok_or(OrderError::NotFound)?;
        ensure_visible(&order, caller)?;
        Ok(order)
    }

    /// Returns the entries with a number greater than `after` of the timeline of an order that the caller may see.
    ///
    /// # Errors
    /// [`OrderError::NotFound`], also for an order of another customer.
    pub(crate) async fn get_timeline(
        &self,
        caller: &Caller,
        id: OrderId,
        after: i64,
    ) -> Result<Vec<TimelineEntry>, Error> {
        self.get(caller, id).await?;
        Ok(self.timeline_after(id, after).await?)
    }

    /// Applies the changes that a caller requests.
    ///
    /// # Errors
    /// [`OrderError::NotFound`], also for an order of another customer; errors of [`Order::update`].
    pub(crate) async fn change(&self, caller: &Caller, id: OrderId, update: OrderUpdate) -> Result<Order, Error> {
        self.update(id, &caller.actor(), |order, now| {
            ensure_visible(order, caller)?;
            order.update(role(caller), update, now)
        })
        .await
    }

    /// Cancels an order for a caller.
    ///
    /// # Errors
    /// [`OrderError::NotFound`], also for an order of another customer; [`OrderError::NotCancellable`].
    pub(crate) async fn cancel(&self, caller: &Caller, id: OrderId, reason: Option<String>) -> Result<Order, Error> {
        self.update(id, &caller.actor(), |order, now| {
            ensure_visible(order, caller)?;
            order.cancel(role(caller), reason, now)
        })
        .await
    }
}

/// Returns the role in which a caller changes orders.
fn role(caller: &Caller) -> Role {
    if caller.is_admin() {
        Role::Admin
    } else if caller.is_service() {
        Role::Service
    } else {
        Role::Customer
    }
}

/// Rejects a caller who may not see the order. Orders of other customers are reported as not found.
fn ensure_visible(order: &Order, caller: &Caller) -> Result<(), OrderError> {
    if caller.can_act_for(order.user_id) { Ok(()) } else { Err(OrderError::NotFound) }
}
