//! Access control and the use cases of callers on a single order.

use common::auth::Caller;
use contracts::OrderId;

use super::OrderService;
use crate::domain::{Actor, Order, OrderError, OrderNumber, OrderUpdate, TimelineEntry, mark_repeated_refunds};
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

    /// Returns the timeline of an order that the caller may see.
    ///
    /// # Errors
    /// [`OrderError::NotFound`], also for an order of another customer.
    pub(crate) async fn get_timeline(&self, caller: &Caller, id: OrderId) -> Result<Vec<TimelineEntry>, Error> {
        self.get(caller, id).await?;
        let mut entries = self.repository().timeline(id).await?;
        mark_repeated_refunds(&mut entries);
        Ok(entries)
    }

    /// Applies the changes that a caller requests.
    ///
    /// # Errors
    /// [`OrderError::NotFound`], also for an order of another customer; errors of [`Order::update`].
    pub(crate) async fn change(&self, caller: &Caller, id: OrderId, update: OrderUpdate) -> Result<Order, Error> {
        self.update(id, |order, now| {
            ensure_visible(order, caller)?;
            order.update(actor(caller), update, now)
        })
        .await
    }

    /// Cancels an order for a caller.
    ///
    /// # Errors
    /// [`OrderError::NotFound`], also for an order of another customer; [`OrderError::NotCancellable`].
    pub(crate) async fn cancel(&self, caller: &Caller, id: OrderId, reason: Option<String>) -> Result<Order, Error> {
        self.update(id, |order, now| {
            ensure_visible(order, caller)?;
            order.cancel(actor(caller), reason, now)
        })
        .await
    }
}

/// Returns the role in which a caller changes orders.
fn actor(caller: &Caller) -> Actor {
    if caller.is_privileged() { Actor::Staff } else { Actor::Customer }
}

/// Rejects a caller who may not see the order. Orders of other customers are reported as not found.
fn ensure_visible(order: &Order, caller: &Caller) -> Result<(), OrderError> {
    if caller.can_act_for(order.user_id) { Ok(()) } else { Err(OrderError::NotFound) }
}
