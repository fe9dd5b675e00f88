use async_trait::async_trait;
use common::database::transaction_effects::InboxRecord;
use common::messaging::consumer::{EventHandler, HandleError, ignore_already_handled};
use contracts::topology::Queue;
use contracts::{Envelope, Event};

use crate::domain::Order;
use crate::service::OrderService;

/// Updates the payments of orders from the payment service's events and confirms orders that are paid.
pub(crate) struct PaymentEventHandler {
    queue: Queue,
    orders: OrderService,
}

impl PaymentEventHandler {
    /// Creates the handler of one queue of payment events.
    pub(crate) const fn new(queue: Queue, orders: OrderService) -> Self {
        Self { queue, orders }
    }
}

#[async_trait]
impl EventHandler for PaymentEventHandler {
    fn queue(&self) -> Queue {
        self.queue
    }

    async fn handle(&self, event: Event, inbox: InboxRecord, envelope: &Envelope) -> Result<(), HandleError> {
        let event_type = event.event_type().as_str();
        let message = super::consumed(&event, inbox, envelope);
        let (id, outcome) = match event {
            Event::PaymentCreated(changed)
            | Event::PaymentProcessing(changed)
            | Event::PaymentCompleted(changed)
            | Event::PaymentFailed(changed)
            | Event::PaymentCancelled(changed) => {
                let id = changed.order_id;
                (id, self.orders.consume(id, message, |order, now| order.apply_payment_event(&changed, now)).await)
            }
            Event::PaymentRefunded(refunded) => {
                let id = refunded.order_id;
                (id, self.orders.consume(id, message, |order, now| order.apply_refund_event(&refunded, now)).await)
            }
            Event::PaymentRefundFailed(failed) => {
                let id = failed.order_id;
                let rule = |order: &mut Order, now| order.apply_refund_failure_event(&failed, now);
                (id, self.orders.consume(id, message, rule).await)
            }
            _ => return Ok(()),
        };
        if matches!(outcome, Ok(false)) {
            tracing::warn!(order.id = %id, event.kind = event_type, "event for an unknown order ignored");
        }
        ignore_already_handled(outcome)
    }
}
