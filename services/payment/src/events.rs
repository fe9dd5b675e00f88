//! What the payment service hears: that orders were cancelled.

use async_trait::async_trait;
use common::consumer::{HandleError, Handler};
use common::effects::Handled;
use common::store::StoreError;
use contracts::topology::{PAYMENT_ORDERS, Queue};
use contracts::{Envelope, Event};

use crate::error::Error;
use crate::store::Ledger;

/// Takes in that an order was cancelled: it takes no money any more, and what it took goes back.
pub(crate) struct OrderEvents {
    ledger: Ledger,
}

impl OrderEvents {
    pub(crate) const fn new(ledger: Ledger) -> Self {
        Self { ledger }
    }
}

#[async_trait]
impl Handler for OrderEvents {
    fn queue(&self) -> Queue {
        PAYMENT_ORDERS
    }

    async fn handle(&self, event: Event, handled: Handled, _envelope: &Envelope) -> Result<(), HandleError> {
        let Event::OrderCancelled(cancelled) = event else { return Ok(()) };
        let cancel = self.ledger.handle(cancelled.order_id, handled, |account, now| {
            account.cancel_order(now);
            Ok(())
        });
        match cancel.await {
            Ok(()) | Err(Error::Store(StoreError::AlreadyHandled)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
