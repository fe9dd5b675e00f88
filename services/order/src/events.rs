//! What the order service hears: of the money, of the stock, and of deleted accounts.

use async_trait::async_trait;
use common::consumer::{HandleError, Handler, handled_once};
use common::effects::{Effects, Handled};
use common::telemetry;
use contracts::calls::OrderStatus;
use contracts::event::UserDeleted;
use contracts::topology::{ORDER_DELETED_USERS, ORDER_PRODUCTS, Queue};
use contracts::{Envelope, Event, OrderId};

use crate::domain::{ACCOUNT_DELETED, Order};
use crate::error::Error;
use crate::peers::Users;
use crate::store::OrderBook;
use crate::timeline::{Entry, Written};

/// Keeps the payments of orders as the payment service tells of them, and confirms an order when it is paid.
pub(crate) struct PaymentEvents {
    queue: Queue,
    book: OrderBook,
}

impl PaymentEvents {
    /// Creates the consumer of one of the queues of payments' events.
    pub(crate) const fn new(queue: Queue, book: OrderBook) -> Self {
        Self { queue, book }
    }
}

#[async_trait]
impl Handler for PaymentEvents {
    fn queue(&self) -> Queue {
        self.queue
    }

    async fn handle(&self, event: Event, handled: Handled, envelope: &Envelope) -> Result<(), HandleError> {
        let kind = event.event_type().as_str();
        let heard = (handled, Entry::heard(&event, envelope, telemetry::trace_id()));
        let (id, outcome) = match event {
            Event::PaymentCreated(changed)
            | Event::PaymentProcessing(changed)
            | Event::PaymentCompleted(changed)
            | Event::PaymentFailed(changed)
            | Event::PaymentCancelled(changed) => {
                let id = changed.order_id;
                (id, self.book.handle(id, heard, |order, now| order.hear(&changed, now)).await)
            }
            Event::PaymentRefunded(refunded) => {
                let id = refunded.order_id;
                let rule = |order: &mut Order, now| {
                    order.hear_refund(&refunded, now);
                    Vec::new()
                };
                (id, self.book.handle(id, heard, rule).await)
            }
            Event::PaymentRefundFailed(failed) => {
                let id = failed.order_id;
                let rule = |order: &mut Order, now| {
                    order.hear_refund_failure(&failed, now);
                    Vec::new()
                };
                (id, self.book.handle(id, heard, rule).await)
            }
            _ => return Ok(()),
        };
        if matches!(outcome, Ok(false)) {
            tracing::warn!(order.id = %id, event.kind = kind, "an event is about an order that does not exist");
        }
        handled_once(outcome)
    }
}

/// Notes what happens to the stock of orders, and watches that that of one that stands is not given away.
pub(crate) struct StockEvents {
    book: OrderBook,
}

impl StockEvents {
    pub(crate) const fn new(book: OrderBook) -> Self {
        Self { book }
    }

    async fn lost(&self, id: OrderId) -> Result<(), HandleError> {
        let order = self.book.find(id).await?;
        if let Some(order) = order.filter(|order| order.status != OrderStatus::Cancelled) {
            tracing::warn!(order.id = %id, order.status = %order.status, "the stock of an order that stands was given away");
        }
        Ok(())
    }
}

#[async_trait]
impl Handler for StockEvents {
    fn queue(&self) -> Queue {
        ORDER_PRODUCTS
    }

    async fn handle(&self, event: Event, handled: Handled, envelope: &Envelope) -> Result<(), HandleError> {
        let entry = Entry::heard(&event, envelope, telemetry::trace_id());
        let written = Written { effects: Effects::none().handling(handled), entries: entry.into_iter().collect() };
        handled_once(self.book.store().record(&written).await)?;
        match event {
            Event::StockReleased(changed) | Event::StockExpired(changed) => self.lost(changed.order_id).await,
            _ => Ok(()),
        }
    }
}

/// Cancels the unpaid orders of deleted accounts and keeps the paid ones. Idempotent by state: once the deletion is
/// recorded, no further order of the person is written.
pub(crate) struct DeletedUsers {
    book: OrderBook,
    users: Users,
}

impl DeletedUsers {
    pub(crate) const fn new(book: OrderBook, users: Users) -> Self {
        Self { book, users }
    }
}

#[async_trait]
impl Handler for DeletedUsers {
    fn queue(&self) -> Queue {
        ORDER_DELETED_USERS
    }

    async fn handle(&self, event: Event, _handled: Handled, _envelope: &Envelope) -> Result<(), HandleError> {
        let Event::UserDeleted(UserDeleted { user_id }) = event else { return Ok(()) };
        let unpaid = self.book.store().delete_customer(user_id, self.book.now()).await?;
        self.users.forget(user_id).await;
        for id in unpaid {
            match self.book.change(id, |order, now| Ok(order.cancel_unpaid(ACCOUNT_DELETED, now))).await {
                Ok(_) => {}
                Err(Error::Store(error)) => return Err(error.into()),
                Err(error) => return Err(HandleError::Fault(error.into())),
            }
        }
        Ok(())
    }
}
