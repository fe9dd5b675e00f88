//! What the product service hears: that orders are confirmed, that they are cancelled, and that accounts are deleted.

use async_trait::async_trait;
use common::consumer::{HandleError, Handler, handled_once};
use common::effects::Handled;
use contracts::calls::OrderStatus;
use contracts::topology::{PRODUCT_DELETED_USERS, PRODUCT_ORDERS, Queue};
use contracts::{Envelope, Event};

use crate::shop::Shop;

/// Sells what is reserved for a confirmed order, and takes back what a cancelled one held.
pub(crate) struct OrderEvents {
    shop: Shop,
}

impl OrderEvents {
    pub(crate) const fn new(shop: Shop) -> Self {
        Self { shop }
    }
}

#[async_trait]
impl Handler for OrderEvents {
    fn queue(&self) -> Queue {
        PRODUCT_ORDERS
    }

    async fn handle(&self, event: Event, handled: Handled, _envelope: &Envelope) -> Result<(), HandleError> {
        match event {
            Event::OrderUpdated(updated) => match updated.status {
                // The confirmation may come after what follows it, or not at all.
                OrderStatus::Confirmed | OrderStatus::Processing | OrderStatus::Shipped | OrderStatus::Delivered => {
                    handled_once(self.shop.confirmed(updated.order_id, handled).await)
                }
                // That it is cancelled is told by an event of its own.
                OrderStatus::Pending | OrderStatus::Cancelled => Ok(()),
            },
            Event::OrderCancelled(cancelled) => handled_once(self.shop.cancelled(cancelled.order_id, handled).await),
            _ => Ok(()),
        }
    }
}

/// Anonymizes the reviews of deleted accounts.
pub(crate) struct DeletedUserEvents {
    shop: Shop,
}

impl DeletedUserEvents {
    pub(crate) const fn new(shop: Shop) -> Self {
        Self { shop }
    }
}

#[async_trait]
impl Handler for DeletedUserEvents {
    fn queue(&self) -> Queue {
        PRODUCT_DELETED_USERS
    }

    async fn handle(&self, event: Event, handled: Handled, _envelope: &Envelope) -> Result<(), HandleError> {
        match event {
            Event::UserDeleted(deleted) => handled_once(self.shop.anonymize_reviews(deleted.user_id, handled).await),
            _ => Ok(()),
        }
    }
}
