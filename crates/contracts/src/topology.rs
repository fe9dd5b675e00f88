//! Messaging topology: exchanges, queues and their bindings, declared by publishers and consumers alike.

use crate::EventType;

/// Durable topic exchanges.
pub const EXCHANGES: &[&str] = &["user.events", "product.events", "order.events", "payment.events"];

/// Durable queue of a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Name: `<consumer>.<exchange>`, or `<consumer>.<event type>` for a queue of one event type.
    pub name: &'static str,
    /// Exchange of the bindings.
    pub exchange: &'static str,
    /// Event types of the bindings: their routing keys.
    pub events: &'static [EventType],
}

/// Queue of order events, for the product service.
pub const PRODUCT_ORDERS: Queue = Queue {
    name: "product-service.order.events",
    exchange: "order.events",
    events: &[EventType::OrderUpdated, EventType::OrderCancelled],
};

/// Queue of order events, for the payment service.
pub const PAYMENT_ORDERS: Queue =
    Queue { name: "payment-service.order.events", exchange: "order.events", events: &[EventType::OrderCancelled] };

/// Queue of stock events, for the timeline of the order service.
pub const ORDER_PRODUCTS: Queue = Queue {
    name: "order-service.product.events",
    exchange: "product.events",
    events: &[EventType::StockReserved, EventType::StockReleased, EventType::StockCommitted, EventType::StockExpired],
};

/// Queue of payment events, for the order service.
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

// A type that is added after a release gets a queue of its own: an instance of the version before consumes from the
// queues that it knows and cannot handle the type.

/// Queue of failed refunds, for the order service.
pub const ORDER_REFUND_FAILURES: Queue = Queue {
    name: "order-service.payment.refund_failed",
    exchange: "payment.events",
    events: &[EventType::PaymentRefundFailed],
};

/// Queue of revoked access, for the product service.
pub const PRODUCT_REVOCATIONS: Queue = Queue {
    name: "product-service.user.access_revoked",
    exchange: "user.events",
    events: &[EventType::UserAccessRevoked],
};

/// Queue of revoked access, for the order service.
pub const ORDER_REVOCATIONS: Queue = Queue {
    name: "order-service.user.access_revoked",
    exchange: "user.events",
    events: &[EventType::UserAccessRevoked],
};

/// Queue of revoked access, for the payment service.
pub const PAYMENT_REVOCATIONS: Queue = Queue {
    name: "payment-service.user.access_revoked",
    exchange: "user.events",
    events: &[EventType::UserAccessRevoked],
};

/// Queue of deleted accounts, for the product service.
pub const PRODUCT_DELETED_USERS: Queue =
    Queue { name: "product-service.user.deleted", exchange: "user.events", events: &[EventType::UserDeleted] };

/// Queue of deleted accounts, for the order service.
pub const ORDER_DELETED_USERS: Queue =
    Queue { name: "order-service.user.deleted", exchange: "user.events", events: &[EventType::UserDeleted] };

/// Queues of the fleet.
pub const QUEUES: &[Queue] = &[
    PRODUCT_ORDERS,
    PRODUCT_REVOCATIONS,
    PRODUCT_DELETED_USERS,
    ORDER_PRODUCTS,
    ORDER_PAYMENTS,
    ORDER_REFUND_FAILURES,
    ORDER_REVOCATIONS,
    ORDER_DELETED_USERS,
    PAYMENT_ORDERS,
    PAYMENT_REVOCATIONS,
];

/// Returns `true` if a service of the fleet consumes this event type: a queue must accept such an event before it counts
/// as published.
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

    /// Event types of each released queue. An instance of the version before consumes from these queues and dead-letters
    /// unknown types: a new type gets a queue of its own, in a new line here.
    const RELEASED: &[(&str, &[&str])] = &[
        ("product-service.order.events", &["order.updated", "order.cancelled"]),
        ("product-service.user.access_revoked", &["user.access_revoked"]),
        ("product-service.user.deleted", &["user.deleted"]),
        (
            "order-service.product.events",
            &["product.stock_reserved", "product.stock_released", "product.stock_committed", "product.stock_expired"],
        ),
        (
            "order-service.payment.events",
            &[
                "payment.created",
                "payment.processing",
                "payment.completed",
                "payment.failed",
                "payment.cancelled",
                "payment.refunded",
            ],
        ),
        ("order-service.payment.refund_failed", &["payment.refund_failed"]),
        ("order-service.user.access_revoked", &["user.access_revoked"]),
        ("order-service.user.deleted", &["user.deleted"]),
        ("payment-service.order.events", &["order.cancelled"]),
        ("payment-service.user.access_revoked", &["user.access_revoked"]),
    ];

    #[test]
    fn a_released_queue_takes_no_further_kind() {
        for queue in QUEUES {
            let kinds: Vec<_> = queue.events.iter().map(|event| event.as_str()).collect();
            let released = RELEASED.iter().find(|(name, _)| *name == queue.name).map(|(_, kinds)| *kinds);
            assert_eq!(
                released,
                Some(&*kinds),
                "{} was released with other kinds: give a new kind a queue of its own, since an instance of the version \
                 before consumes from this one and gives up what it does not know",
                queue.name
            );
        }
        assert_eq!(QUEUES.len(), RELEASED.len(), "a released queue is removed no sooner than nobody publishes to it");
    }

    #[test]
    fn some_events_are_for_outsiders_only() {
        assert!(has_consumer(EventType::OrderCancelled));
        assert!(!has_consumer(EventType::OrderCreated));
    }
}
