//! Consumer of order events.

use async_trait::async_trait;
use common::database::transaction_effects::InboxRecord;
use common::messaging::consumer::{EventHandler, HandleError, ignore_already_handled};
use contracts::api::OrderStatus;
use contracts::topology::{PRODUCT_ORDERS, Queue};
use contracts::{Envelope, Event};

use crate::service::InventoryService;

/// Commits the reservations of confirmed orders and releases those of cancelled orders.
pub(crate) struct OrderEventHandler {
    inventory: InventoryService,
}

impl OrderEventHandler {
    pub(crate) const fn new(inventory: InventoryService) -> Self {
        Self { inventory }
    }
}

#[async_trait]
impl EventHandler for OrderEventHandler {
    fn queue(&self) -> Queue {
        PRODUCT_ORDERS
    }

    async fn handle(&self, event: Event, inbox: InboxRecord, _envelope: &Envelope) -> Result<(), HandleError> {
        match event {
            Event::OrderUpdated(updated) => match updated.status {
                // A later status implies the confirmation, whose event may arrive afterwards or never.
                OrderStatus::Confirmed | OrderStatus::Processing | OrderStatus::Shipped | OrderStatus::Delivered => {
                    ignore_already_handled(self.inventory.commit(updated.order_id, inbox).await)
                }
                // A cancellation has an event of its own.
                OrderStatus::Pending | OrderStatus::Cancelled => Ok(()),
            },
            Event::OrderCancelled(cancelled) => {
                ignore_already_handled(self.inventory.cancel(cancelled.order_id, inbox).await)
            }
            _ => Ok(()),
        }
    }
}
