//! Events of other services.

use common::messaging::bus::Message;
use common::telemetry::clock::Clock;
use contracts::api::{PaymentMethod, PaymentStatus, RefundCause};
use contracts::event::{PaymentChanged, PaymentRefundFailed, PaymentRefunded, ReservationChanged};
use contracts::{Actor, Event, Money, OrderId, PaymentId, RefundId};
use serde_json::Value;
use testkit::bus::event_message;

use super::TestApp;

impl TestApp {
    pub(crate) fn payment_id(&self) -> PaymentId {
        PaymentId::generate(self.clock.now())
    }

    /// Returns a payment over the total of the order in this version and status.
    pub(crate) fn changed(&self, order: &Value, id: PaymentId, version: i64, status: PaymentStatus) -> PaymentChanged {
        PaymentChanged {
            payment_id: id,
            order_id: super::id(order),
            user_id: order["user_id"].as_str().unwrap().parse().unwrap(),
            amount: total(order),
            currency: "USD".to_owned(),
            method: PaymentMethod::Card,
            status,
            version,
            counts: true,
            failure_reason: None,
            actor: Actor::System,
            created_at: self.clock.now(),
            timestamp: self.clock.now(),
        }
    }

    /// Returns a refund of a payment over the total of the order; `total_cents` is the refunded total after it.
    pub(crate) fn refunded(&self, order: &Value, id: PaymentId, cents: i64, total_cents: i64) -> Event {
        Event::PaymentRefunded(PaymentRefunded {
            payment_id: id,
            refund_id: RefundId::generate(self.clock.now()),
            order_id: super::id(order),
            user_id: order["user_id"].as_str().unwrap().parse().unwrap(),
            amount: total(order),
            refund_amount: Money::from_cents(cents),
            refunded_total: Money::from_cents(total_cents),
            version: 0,
            cause: RefundCause::Granted,
            reason: None,
            outside: false,
            actor: Actor::System,
            timestamp: self.clock.now(),
        })
    }

    /// Returns a refund in this version of its payment; `cents` is also the refunded total after it.
    pub(crate) fn refunded_as(&self, order: &Value, id: PaymentId, version: i64, cents: i64) -> PaymentRefunded {
        match self.refunded(order, id, cents, cents) {
            Event::PaymentRefunded(refunded) => PaymentRefunded { version, ..refunded },
            other => panic!("not a refund: {other:?}"),
        }
    }

    /// Returns the failure of a succeeded refund, after which nothing is refunded.
    pub(crate) fn refund_failed(&self, refunded: &PaymentRefunded, version: i64) -> Event {
        Event::PaymentRefundFailed(PaymentRefundFailed {
            payment_id: refunded.payment_id,
            refund_id: refunded.refund_id,
            order_id: refunded.order_id,
            user_id: refunded.user_id,
            amount: refunded.refund_amount,
            refunded_total: Money::ZERO,
            version,
            reason: Some("expired_or_canceled_card".to_owned()),
            needs_attention: false,
            timestamp: self.clock.now(),
        })
    }

    pub(crate) async fn publish(&self, events: &[Event]) {
        let messages: Vec<_> = events.iter().map(|event| self.message(event)).collect();
        self.publish_messages(&messages).await;
    }

    pub(crate) async fn publish_messages(&self, messages: &[Message]) {
        for published in self.bus.publish(messages).await.unwrap() {
            published.unwrap();
        }
    }

    pub(crate) fn message(&self, event: &Event) -> Message {
        event_message(event, "test", self.clock.now())
    }

    /// Pays the order by one payment and waits until the order service has consumed the event.
    pub(crate) async fn pay(&self, order: &Value) -> (PaymentId, Value) {
        let id = self.payment_id();
        self.publish(&[Event::PaymentCompleted(self.changed(order, id, 1, PaymentStatus::Completed))]).await;
        (id, self.until(order, "the order is paid", |order| order["payment_status"] == "completed").await)
    }
}

pub(crate) fn stock_released(order: OrderId) -> Event {
    Event::StockReleased(ReservationChanged { order_id: order, items: Vec::new() })
}

pub(crate) fn total(order: &Value) -> Money {
    serde_json::from_value(order["total_amount"].clone()).unwrap()
}
