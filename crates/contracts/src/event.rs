//! The events of the fleet: the envelope that carries them and the typed data of each.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{EventId, Money, OrderId, PaymentId, ProductId, RefundId, UserId};

/// The version of the envelope and of the data in it.
pub const SCHEMA_VERSION: u32 = 1;

macro_rules! events {
    ($($name:ident($data:ident) = $text:literal, $exchange:literal;)*) => {
        /// The kind of an event; its text is the routing key.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum EventType {
            $(#[doc = concat!("`", $text, "`")] #[serde(rename = $text)] $name,)*
        }

        impl EventType {
            /// Every kind there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The routing key.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// The topic exchange that it is published to.
            #[must_use]
            pub const fn exchange(self) -> &'static str {
                match self { $(Self::$name => $exchange),* }
            }
        }

        /// An event with its data.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Event {
            $(#[doc = concat!("`", $text, "`")] $name($data),)*
        }

        impl Event {
            /// Its kind.
            #[must_use]
            pub const fn event_type(&self) -> EventType {
                match self { $(Self::$name(_) => EventType::$name),* }
            }

            /// The id of the thing that it is about.
            #[must_use]
            pub fn aggregate_id(&self) -> String {
                match self { $(Self::$name(data) => data.aggregate_id()),* }
            }

            /// The order that it is about, if it is about one.
            #[must_use]
            pub fn order_id(&self) -> Option<OrderId> {
                match self { $(Self::$name(data) => data.order_id()),* }
            }

            /// The data as JSON text.
            ///
            /// # Errors
            /// Never in practice: the data are plain structs.
            pub fn data(&self) -> serde_json::Result<Box<RawValue>> {
                match self { $(Self::$name(data) => serde_json::value::to_raw_value(data)),* }
            }

            /// Reads the data of an event of this kind; fields that are not known are ignored.
            ///
            /// # Errors
            /// If a field is missing or of another type.
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

/// An event as it travels: the message's body.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// The same however often it is delivered.
    pub id: EventId,
    /// The kind; a text here, since a reader may be older than a kind.
    pub event_type: String,
    /// [`SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// The id of the thing that it is about.
    pub aggregate_id: String,
    /// Counts the events of that thing, from 1.
    pub sequence: i64,
    /// The service that wrote it, such as `order-service`.
    pub service: String,
    /// When it happened.
    pub timestamp: DateTime<Utc>,
    /// The data of [`Event`] of this kind.
    pub data: Box<RawValue>,
}

impl Envelope {
    /// The event, if its kind is known here.
    ///
    /// # Errors
    /// If the kind is known and the data are not what it has.
    pub fn event(&self) -> serde_json::Result<Option<Event>> {
        let kind = EventType::ALL.iter().find(|kind| kind.as_str() == self.event_type);
        kind.map(|kind| Event::read(*kind, &self.data)).transpose()
    }
}

/// A person registered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are those of the user service's fields")]
pub struct UserCreated {
    pub user_id: UserId,
    pub email: String,
    pub first_name: String,
    pub last_name: String,
}

/// A person's profile changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserUpdated {
    /// Whose.
    pub user_id: UserId,
    /// The names of the fields that changed, not their values.
    pub changes: Vec<String>,
}

/// A person's account was deleted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserDeleted {
    /// Whose.
    pub user_id: UserId,
}

/// Access tokens of an account were revoked: by a change of role, deletion, a new password, or the end of sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserAccessRevoked {
    /// The account.
    pub user_id: UserId,
    /// The lowest access version (claim `av`) that is still valid; `None` where only sessions ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_version: Option<i64>,
    /// The sessions that ended (claim `sid`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub session_ids: Vec<String>,
    /// The cause, such as `role_changed`, `deleted`, `signed_out`, `password_changed`.
    pub reason: String,
}

/// A product was created, changed or hidden; as it is now.
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

/// A product's stock was adjusted by hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StockUpdated {
    /// Which product.
    pub product_id: ProductId,
    /// Pieces that came (above zero) or went.
    pub change: i64,
    /// Pieces that are left to reserve now.
    pub stock_quantity: i64,
}

/// So many pieces of a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Line {
    /// Which product.
    pub product_id: ProductId,
    /// How many pieces.
    pub quantity: i64,
}

/// An order's reservation was made, released, committed, or ran out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReservationChanged {
    /// Whose reservation.
    pub order_id: OrderId,
    /// What it holds or held.
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
    /// Which order.
    pub order_id: OrderId,
    /// Its status now: see [`crate::calls::OrderStatus`].
    pub status: crate::calls::OrderStatus,
    /// When it changed.
    pub timestamp: DateTime<Utc>,
}

/// An order was cancelled: its goods go back and its money too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderCancelled {
    /// Which order.
    pub order_id: OrderId,
    /// Why, if it was said.
    pub reason: Option<String>,
    /// What it held.
    pub items: Vec<Line>,
    /// When.
    pub timestamp: DateTime<Utc>,
}

/// A payment was created or changed its status; as it is now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaymentChanged {
    /// Which payment.
    pub payment_id: PaymentId,
    /// Of which order.
    pub order_id: OrderId,
    /// Who pays.
    pub user_id: UserId,
    /// What was asked for, or what was captured once it is completed.
    pub amount: Money,
    /// The currency of the amount (ISO 4217).
    pub currency: String,
    /// How it is paid.
    pub method: crate::calls::PaymentMethod,
    /// Its status now.
    pub status: crate::calls::PaymentStatus,
    /// Counts the changes of this payment from 1, so that a reader can tell an older one that comes late.
    pub version: i64,
    /// Whether the captured money counts for the order: false for money that is given back because it came late, came
    /// twice, or was another amount than what was asked for.
    #[serde(default = "yes")]
    pub counts: bool,
    /// Why it failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it changed to this.
    pub timestamp: DateTime<Utc>,
}

fn yes() -> bool {
    true
}

/// Money of a payment went back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaymentRefunded {
    /// Which payment.
    pub payment_id: PaymentId,
    /// Which refund of it.
    pub refund_id: RefundId,
    /// Of which order.
    pub order_id: OrderId,
    /// Who paid.
    pub user_id: UserId,
    /// What was captured.
    pub amount: Money,
    /// What this refund gave back.
    pub refund_amount: Money,
    /// Sum of all succeeded refunds of this payment at the time of this event.
    pub refunded_total: Money,
    /// Counts the changes of this payment, in one sequence with [`PaymentChanged::version`]; 0 from a writer that did
    /// not know the field.
    #[serde(default)]
    pub version: i64,
    /// Why the money went back, as a kind.
    pub cause: crate::calls::RefundCause,
    /// Why, in somebody's words.
    #[serde(default)]
    pub reason: Option<String>,
    /// Whether a person paid it by hand, outside the provider; `false` from a writer that did not know the field.
    #[serde(default)]
    pub outside: bool,
    /// When.
    pub timestamp: DateTime<Utc>,
}

/// A refund failed: refused by the provider, or reported as failed after it had been reported as succeeded.
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
    /// Counts the changes of this payment, in one sequence with [`PaymentChanged::version`].
    pub version: i64,
    /// The provider's reason.
    #[serde(default)]
    pub reason: Option<String>,
    /// Whether it is owed and not made again until a person decides; `false` from a writer that did not know the field.
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
            status: crate::calls::OrderStatus::Confirmed,
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
