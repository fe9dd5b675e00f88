//! Events of the fleet: their envelope and their typed data.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Actor, EventId, Money, OrderId, PaymentId, ProductId, RefundId, UserId};

/// Version of the envelope and of its data.
pub const SCHEMA_VERSION: u32 = 1;

macro_rules! events {
    ($($name:ident($data:ident) = $text:literal, $exchange:literal;)*) => {
        /// Type of an event; its text is the routing key.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum EventType {
            $(#[doc = concat!("`", $text, "`")] #[serde(rename = $text)] $name,)*
        }

        impl EventType {
            /// All event types.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Returns the routing key.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// Returns the topic exchange of the event type.
            #[must_use]
            pub const fn exchange(self) -> &'static str {
                match self { $(Self::$name => $exchange),* }
            }
        }

        /// Event with its data.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Event {
            $(#[doc = concat!("`", $text, "`")] $name($data),)*
        }

        impl Event {
            /// Returns the event type.
            #[must_use]
            pub const fn event_type(&self) -> EventType {
                match self { $(Self::$name(_) => EventType::$name),* }
            }

            /// Id of the aggregate.
            #[must_use]
            pub fn aggregate_id(&self) -> String {
                match self { $(Self::$name(data) => data.aggregate_id()),* }
            }

            /// Returns the order that the event concerns, if any.
            #[must_use]
            pub fn order_id(&self) -> Option<OrderId> {
                match self { $(Self::$name(data) => data.order_id()),* }
            }

            /// Returns the data as JSON text.
            ///
            /// # Errors
            /// Never in practice: the data are plain structs.
            pub fn data(&self) -> serde_json::Result<Box<RawValue>> {
                match self { $(Self::$name(data) => serde_json::value::to_raw_value(data)),* }
            }

            /// Parses the data of an event type; unknown fields are ignored.
            ///
            /// # Errors
            /// Returns an error if a field is missing or has another type.
            pub fn read(event_type: EventType, data: &RawValue) -> serde_json::Result<Self> {
                match event_type {
                    $(EventType::$name => serde_json::from_str(data.get()).map(Self::$name)),*
                }
            }
        }
    };
}

events! {
    UserCreated(UserCreated) = "user.created", "user.events";
    UserUpdated(UserUpdated) = "user.updated", "user.events";
    UserDeleted(UserDeleted) = "user.deleted", "user.events";
    UserAccessRevoked(UserAccessRevoked) = "user.access_revoked", "user.events";
    ProductCreated(ProductChanged) = "product.created", "product.events";
    ProductUpdated(ProductChanged) = "product.updated", "product.events";
    ProductDeleted(ProductChanged) = "product.deleted", "product.events";
    StockUpdated(StockUpdated) = "product.stock_updated", "product.events";
    StockReserved(ReservationChanged) = "product.stock_reserved", "product.events";
    StockReleased(ReservationChanged) = "product.stock_released", "product.events";
    StockCommitted(ReservationChanged) = "product.stock_committed", "product.events";
    StockExpired(ReservationChanged) = "product.stock_expired", "product.events";
    OrderCreated(OrderCreated) = "order.created", "order.events";
    OrderUpdated(OrderUpdated) = "order.updated", "order.events";
    OrderCancelled(OrderCancelled) = "order.cancelled", "order.events";
    PaymentCreated(PaymentChanged) = "payment.created", "payment.events";
    PaymentProcessing(PaymentChanged) = "payment.processing", "payment.events";
    PaymentCompleted(PaymentChanged) = "payment.completed", "payment.events";
    PaymentFailed(PaymentChanged) = "payment.failed", "payment.events";
    PaymentCancelled(PaymentChanged) = "payment.cancelled", "payment.events";
    PaymentRefunded(PaymentRefunded) = "payment.refunded", "payment.events";
    PaymentRefundFailed(PaymentRefundFailed) = "payment.refund_failed", "payment.events";
}

/// Event on the wire: the message's body.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// Event id, identical in every delivery.
    pub id: EventId,
    /// Event type; a string, since a reader may be older than a type.
    pub event_type: String,
    /// [`SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// Id of the aggregate.
    pub aggregate_id: String,
    /// Number of the event within its aggregate, from 1.
    pub sequence: i64,
    /// Publishing service, such as `order-service`.
    pub service: String,
    /// Time of the event.
    pub timestamp: DateTime<Utc>,
    /// Data of the event type.
    pub data: Box<RawValue>,
}

impl Envelope {
    /// Returns the typed event; `None` if the type is unknown to this version.
    ///
    /// # Errors
    /// Returns an error if the type is known and the data do not match it.
    pub fn event(&self) -> serde_json::Result<Option<Event>> {
        let kind = EventType::ALL.iter().find(|kind| kind.as_str() == self.event_type);
        kind.map(|kind| Event::read(*kind, &self.data)).transpose()
    }
}

/// A user registered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are those of the user service's fields")]
pub struct UserCreated {
    pub user_id: UserId,
    pub email: String,
    pub first_name: String,
    pub last_name: String,
}

/// A user's profile changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserUpdated {
    /// Updated account.
    pub user_id: UserId,
    /// Names of the changed fields, without values.
    pub changes: Vec<String>,
}

/// A user's account was deleted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserDeleted {
    /// Deleted account.
    pub user_id: UserId,
}

/// Access tokens of an account were revoked: by a change of role, deletion, a new password, or the end of sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserAccessRevoked {
    /// Account whose access was revoked.
    pub user_id: UserId,
    /// Lowest access version (claim `av`) that is still valid; `None` where only sessions ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_version: Option<i64>,
    /// Ended sessions (claim `sid`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub session_ids: Vec<String>,
    /// Cause, such as `role_changed`, `deleted`, `signed_out`, `password_changed`.
    pub reason: String,
}

/// A product was created, changed or deactivated; current state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are those of the product's fields")]
pub struct ProductChanged {
    pub product_id: ProductId,
    pub name: String,
    pub sku: Option<String>,
    pub price: Money,
    pub stock_quantity: i64,
    pub active: bool,
}

/// A product's stock was adjusted manually.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StockUpdated {
    /// Product whose stock changed.
    pub product_id: ProductId,
    /// Pieces added (positive) or removed (negative).
    pub change: i64,
    /// Pieces available for reservation now.
    pub stock_quantity: i64,
}

/// Number of pieces of a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Line {
    /// Product of the line.
    pub product_id: ProductId,
    /// Number of pieces.
    pub quantity: i64,
}

/// An order's reservation was created, released, committed, or expired.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReservationChanged {
    /// Order of the reservation.
    pub order_id: OrderId,
    /// Lines of the reservation.
    pub items: Vec<Line>,
}

/// An order was placed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the order's fields")]
pub struct OrderCreated {
    pub order_id: OrderId,
    pub order_number: String,
    pub user_id: UserId,
    pub total_amount: Money,
    pub items_count: usize,
    pub items: Vec<Line>,
    pub timestamp: DateTime<Utc>,
}

/// An order's status or details changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderUpdated {
    /// Updated order.
    pub order_id: OrderId,
    /// Current status: see [`crate::status::OrderStatus`].
    pub status: crate::status::OrderStatus,
    /// Time of the change.
    pub timestamp: DateTime<Utc>,
}

/// An order was cancelled: its stock is released and its payments are refunded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderCancelled {
    /// Cancelled order.
    pub order_id: OrderId,
    /// Reason, if one was given.
    pub reason: Option<String>,
    /// Lines of the reservation.
    pub items: Vec<Line>,
    /// Time of the change.
    pub timestamp: DateTime<Utc>,
}

/// A payment was created or changed its status; current state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaymentChanged {
    /// Changed payment.
    pub payment_id: PaymentId,
    /// Order of the changed payment.
    pub order_id: OrderId,
    /// Paying customer of the changed payment.
    pub user_id: UserId,
    /// Requested amount, or the captured amount once the payment is completed.
    pub amount: Money,
    /// Currency of the changed payment (ISO 4217).
    pub currency: String,
    /// Payment method of the changed payment.
    pub method: crate::status::PaymentMethod,
    /// Current status of the changed payment.
    pub status: crate::status::PaymentStatus,
    /// Version of the payment, counted from 1, by which a reader detects delayed older events.
    pub version: i64,
    /// True if the captured money counts for the order: false for money that is refunded because it came late, came
    /// twice, or differs from the requested amount.
    #[serde(default = "yes")]
    pub counts: bool,
    /// Reason of the failure, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// Time of creation.
    pub created_at: DateTime<Utc>,
    /// Caller that caused the change; the system if nobody did, and from a writer that did not know the field.
    #[serde(default, skip_serializing_if = "Actor::is_system")]
    pub actor: Actor,
    /// Time of this change.
    pub timestamp: DateTime<Utc>,
}

fn yes() -> bool {
    true
}

/// A refund of a payment succeeded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaymentRefunded {
    /// Refunded payment.
    pub payment_id: PaymentId,
    /// Refund of the refunded payment.
    pub refund_id: RefundId,
    /// Order of the refunded payment.
    pub order_id: OrderId,
    /// Paying customer of the refunded payment.
    pub user_id: UserId,
    /// Captured amount of the refunded payment.
    pub amount: Money,
    /// Amount of this refund.
    pub refund_amount: Money,
    /// Sum of all succeeded refunds of this payment at the time of this event.
    pub refunded_total: Money,
    /// Version of the payment, in one sequence with [`PaymentChanged::version`]; 0 from a writer that did
    /// not know the field.
    #[serde(default)]
    pub version: i64,
    /// Cause of the refund.
    pub cause: crate::status::RefundCause,
    /// Reason as free text.
    #[serde(default)]
    pub reason: Option<String>,
    /// True if the refund was paid outside the provider; `false` from a writer that did not know the field.
    #[serde(default)]
    pub outside: bool,
    /// Caller that requested the refund; the system if nobody did, and from a writer that did not know the field.
    #[serde(default, skip_serializing_if = "Actor::is_system")]
    pub actor: Actor,
    /// Time of the change.
    pub timestamp: DateTime<Utc>,
}

/// A refund failed: rejected by the provider, or reported as failed after it had been reported as succeeded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaymentRefundFailed {
    /// Payment of the refund.
    pub payment_id: PaymentId,
    /// Refund that failed.
    pub refund_id: RefundId,
    /// Order of the payment.
    pub order_id: OrderId,
    /// Account that paid.
    pub user_id: UserId,
    /// Amount of the refund that failed.
    pub amount: Money,
    /// Sum of all succeeded refunds of this payment after the failure.
    pub refunded_total: Money,
    /// Version of the payment, in one sequence with [`PaymentChanged::version`].
    pub version: i64,
    /// Reason given by the provider.
    #[serde(default)]
    pub reason: Option<String>,
    /// True if the refund is due and waits for an admin's decision; `false` from a writer that did not know the field.
    #[serde(default)]
    pub needs_attention: bool,
    /// Time of the failure.
    pub timestamp: DateTime<Utc>,
}

trait Aggregate {
    fn aggregate_id(&self) -> String;

    fn order_id(&self) -> Option<OrderId> {
        None
    }
}

macro_rules! aggregates {
    ($($data:ident.$field:ident $(of $order:ident)?;)*) => {
        $(impl Aggregate for $data {
            fn aggregate_id(&self) -> String {
                self.$field.to_string()
            }

            $(fn order_id(&self) -> Option<OrderId> {
                Some(self.$order)
            })?
        })*
    };
}

aggregates! {
    UserCreated.user_id;
    UserUpdated.user_id;
    UserDeleted.user_id;
    UserAccessRevoked.user_id;
    ProductChanged.product_id;
    StockUpdated.product_id;
    ReservationChanged.order_id of order_id;
    OrderCreated.order_id of order_id;
    OrderUpdated.order_id of order_id;
    OrderCancelled.order_id of order_id;
    PaymentChanged.payment_id of order_id;
    PaymentRefunded.payment_id of order_id;
    PaymentRefundFailed.payment_id of order_id;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_survives_its_envelope() {
        let now = DateTime::from_timestamp_millis(1_700_000_000_000).unwrap();
        let event = Event::OrderUpdated(OrderUpdated {
            order_id: OrderId::generate(now),
            status: crate::status::OrderStatus::Confirmed,
            timestamp: now,
        });
        let envelope = Envelope {
            id: EventId::generate(now),
            event_type: event.event_type().as_str().to_owned(),
            schema_version: SCHEMA_VERSION,
            aggregate_id: event.aggregate_id(),
            sequence: 1,
            service: "order-service".to_owned(),
            timestamp: now,
            data: event.data().unwrap(),
        };
        let text = serde_json::to_string(&envelope).unwrap();
        assert!(text.contains("\"eventType\":\"order.updated\""), "{text}");
        let back: Envelope = serde_json::from_str(&text).unwrap();
        assert_eq!(back.event().unwrap(), Some(event));
    }

    #[test]
    fn fields_of_a_newer_writer_are_ignored() {
        let data = RawValue::from_string(r#"{"userId":"0190163d-8694-739b-aea5-966c26f8ad91","x":1}"#.into()).unwrap();
        assert!(matches!(Event::read(EventType::UserDeleted, &data), Ok(Event::UserDeleted(_))));
        assert!(Event::read(EventType::UserCreated, &data).is_err());
    }

    #[test]
    fn a_kind_begins_with_its_exchange() {
        for kind in EventType::ALL {
            let (topic, _) = kind.as_str().split_once('.').unwrap();
            assert_eq!(kind.exchange(), format!("{topic}.events"));
        }
    }
}
