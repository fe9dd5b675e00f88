//! Consumer of order events.

use async_trait::async_trait;
use common::database::transaction_effects::InboxRecord;
use common::messaging::consumer::{EventHandler, HandleError};
use contracts::topology::{PAYMENT_ORDERS, Queue};
use contracts::{Envelope, Event};

use crate::service::PaymentService;

/// Handler of `order.cancelled`: cancels open payments and refunds captured ones.
pub(crate) struct OrderEventHandler {
    payments: PaymentService,
}

impl OrderEventHandler {
    pub(crate) const fn new(payments: PaymentService) -> Self {
        Self { payments }
    }
}

#[async_trait]
impl EventHandler for OrderEventHandler {
    fn queue(&self) -> Queue {
        PAYMENT_ORDERS
    }

    async fn handle(&self, event: Event, inbox: InboxRecord, _envelope: &Envelope) -> Result<(), HandleError> {
        let Event::OrderCancelled(cancelled) = event else { return Ok(()) };
        Ok(self.payments.cancel_order(cancelled.order_id, inbox).await?)
    }
}
