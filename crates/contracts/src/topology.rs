//! Who hears what: the exchanges, the queues and their bindings, declared by publishers and consumers alike.

use crate::EventType;

/// The durable topic exchanges.
pub const EXCHANGES: &[&str] = &["user.events", "product.events", "order.events", "payment.events"];

/// A consumer's durable queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its name: `<consumer>.<exchange>`.
    pub name: &'static str,
    /// The exchange that it is bound to.
    pub exchange: &'static str,
    /// The kinds of events that it takes: the bindings' routing keys.
    pub events: &'static [EventType],
}

/// What the product service hears: only the orders' events.
pub const PRODUCT_ORDERS: Queue = Queue {
    name: "product-service.order.events",
    exchange: "order.events",
    events: &[EventType::OrderUpdated, EventType::OrderCancelled],
};

/// What the payment service hears.
pub const PAYMENT_ORDERS: Queue =
    Queue { name: "payment-service.order.events", exchange: "order.events", events: &[EventType::OrderCancelled] };

/// What the order service hears of the stock, for the timeline.
pub const ORDER_PRODUCTS: Queue = Queue {
    name: "order-service.product.events",
    exchange: "product.events",
    events: &[EventType::StockReserved, EventType::StockReleased, EventType::StockCommitted, EventType::StockExpired],
};

/// What the order service hears of the money.
pub const ORDER_PAYMENTS: Queue = Queue {
    name: "order-service.payment.events",
    exchange: "payment.events",
    events: &[
        EventType::PaymentCreated,
        EventType::PaymentProcessing,
        EventType::PaymentCompleted,
        EventType::PaymentFailed,
        EventType::PaymentCancelled,
        EventType::PaymentRefunded,
    ],
};

/// All queues of the fleet.
pub const QUEUES: &[Queue] = &[PRODUCT_ORDERS, PAYMENT_ORDERS, ORDER_PRODUCTS, ORDER_PAYMENTS];

/// Whether a service of the fleet hears this kind, so that losing one would be noticed by nobody else.
#[must_use]
pub fn has_consumer(kind: EventType) -> bool {
    QUEUES.iter().any(|queue| queue.events.contains(&kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_takes_events_of_its_own_exchange() {
        for queue in QUEUES {
            assert!(EXCHANGES.contains(&queue.exchange));
            assert!(queue.events.iter().all(|event| event.exchange() == queue.exchange), "{}", queue.name);
        }
    }

    #[test]
    fn some_events_are_for_outsiders_only() {
        assert!(has_consumer(EventType::OrderCancelled));
        assert!(!has_consumer(EventType::OrderCreated));
    }
}
