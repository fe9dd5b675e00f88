use async_trait::async_trait;
use common::database::transaction_effects::InboxRecord;
use common::messaging::consumer::{EventHandler, HandleError, ignore_already_handled};
use contracts::api::OrderStatus;
use contracts::topology::{ORDER_PRODUCTS, Queue};
use contracts::{Envelope, Event, OrderId};

use crate::service::OrderService;

/// Records stock events in the timelines of orders and warns if an active order loses its stock.
pub(crate) struct StockEventHandler {
    orders: OrderService,
}

impl StockEventHandler {
    /// Creates the handler.
    pub(crate) const fn new(orders: OrderService) -> Self {
        Self { orders }
    }

    async fn warn_if_still_active(&self, id: OrderId) -> Result<(), HandleError> {
        let order = self.orders.find(id).await?;
        if let Some(order) = order.filter(|order| order.status != OrderStatus::Cancelled) {
            tracing::warn!(
                order.id = %id,
                order.status = %order.status,
                "stock was released for an order that is still active"
            );
        }
        Ok(())
    }
}

#[async_trait]
impl EventHandler for StockEventHandler {
    fn queue(&self) -> Queue {
        ORDER_PRODUCTS
    }

    async fn handle(&self, event: Event, inbox: InboxRecord, envelope: &Envelope) -> Result<(), HandleError> {
        ignore_already_handled(self.orders.append_timeline(super::consumed(&event, inbox, envelope)).await)?;
        match event {
            Event::StockReleased(changed) | Event::StockExpired(changed) => {
                self.warn_if_still_active(changed.order_id).await
            }
            _ => Ok(()),
        }
    }
}
