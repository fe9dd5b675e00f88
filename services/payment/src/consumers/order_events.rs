//! Consumer of order events.

use async_trait::async_trait;
use common::database::effects::Handled;
use common::messaging::consumer::{HandleError, Handler};
use contracts::topology::{PAYMENT_ORDERS, Queue};
use contracts::{Envelope, Event};

use crate::service::PaymentService;

/// Handler of order cancellations.
pub(crate) struct OrderEventHandler {
    payments: PaymentService,
}

impl OrderEventHandler {
    pub(crate) const fn new(payments: PaymentService) -> Self {
        Self { payments }
    }
}

#[async_trait]
impl Handler for OrderEventHandler {
    fn queue(&self) -> Queue {
        PAYMENT_ORDERS
    }

    async fn handle(&self, event: Event, message: Handled, _envelope: &Envelope) -> Result<(), HandleError> {
        let Event::OrderCancelled(cancelled) = event else { return Ok(()) };
        Ok(self.payments.cancel_order(cancelled.order_id, message).await?)
    }
}
