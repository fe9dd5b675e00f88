//! The bodies of the calls that one service makes to another, and the states that more than one service speaks of.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::event::Line;
use crate::{ImageId, Money, OrderId, ProductId, UserId};

macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Every one there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The text that stands in bodies, events and stores.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownState;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|state| state.as_str() == text).ok_or_else(|| UnknownState {
                    text: text.to_owned(),
                    known: Self::ALL.iter().map(|state| state.as_str()).collect::<Vec<_>>().join(", "),
                })
            }
        }
    };
}

/// A text that is not one of a state's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not one of {known}")]
pub struct UnknownState {
    text: String,
    known: String,
}

states!(
    /// The status of an order.
    OrderStatus {
        /// Placed, not yet paid.
        Pending = "pending",
        /// Paid, or accepted by an admin.
        Confirmed = "confirmed",
        /// Being packed.
        Processing = "processing",
        /// On its way.
        Shipped = "shipped",
        /// Arrived.
        Delivered = "delivered",
        /// Given up; goods and money go back.
        Cancelled = "cancelled",
    }
);
states!(
    /// How far an order's payment is: a function of its payments.
    OrderPaymentStatus {
        /// Nothing is being taken; also while a payment waits for the customer.
        Pending = "pending",
        /// The provider is taking one.
        Processing = "processing",
        /// What was captured covers the total.
        Completed = "completed",
        /// The last payment failed.
        Failed = "failed",
        /// All that was captured has been given back.
        Refunded = "refunded",
    }
);
states!(
    /// The status of a payment.
    PaymentStatus {
        /// Created; the customer has to act.
        Pending = "pending",
        /// The provider is taking it, or it is being settled.
        Processing = "processing",
        /// Captured.
        Completed = "completed",
        /// Declined.
        Failed = "failed",
        /// All of it was given back.
        Refunded = "refunded",
        /// Given up before it was taken.
        Cancelled = "cancelled",
    }
);
states!(
    /// How a payment is made.
    PaymentMethod {
        /// A card.
        Card = "card",
        /// PayPal.
        Paypal = "paypal",
        /// A card in an Apple wallet.
        ApplePay = "apple_pay",
        /// A card in a Google wallet.
        GooglePay = "google_pay",
    }
);
states!(
    /// Why money went back.
    RefundCause {
        /// A trusted caller asked for it; it lowers what the order is worth.
        Granted = "granted",
        /// The order was cancelled.
        Cancelled = "cancelled",
        /// It came after the order was given up, or with another amount or currency.
        Late = "late",
        /// The order was paid already.
        Doubled = "doubled",
        /// The provider gave it back without being asked.
        Provider = "provider",
    }
);
states!(
    /// The status of a refund.
    RefundStatus {
        /// Asked for; the amount is held.
        Pending = "pending",
        /// The money went back.
        Succeeded = "succeeded",
        /// Refused; the amount is free again.
        Failed = "failed",
    }
);
states!(
    /// The status of a reservation.
    ReservationStatus {
        /// Held until it expires.
        Reserved = "reserved",
        /// Held without expiry: the order exists.
        Held = "held",
        /// Sold.
        Committed = "committed",
        /// Given back.
        Released = "released",
    }
);

/// A product as the product service answers it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    /// Its id.
    pub id: ProductId,
    /// What it is called.
    pub name: String,
    /// What it is.
    pub description: String,
    /// For one piece.
    pub price: Money,
    /// The one category that it is in.
    pub category: String,
    /// Pieces that are left to reserve.
    pub stock_quantity: i64,
    /// Who makes it.
    pub brand: Option<String>,
    /// The seller's own number, unique.
    pub sku: Option<String>,
    /// Mean of the reviews' ratings in hundredths, as a number with two decimals; 0 without a review.
    pub average_rating: Rating,
    /// How many reviews there are.
    pub review_count: i64,
    /// Whether it is on sale.
    pub active: bool,
    /// Its pictures.
    pub images: Vec<ProductImage>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// A mean rating, exact to two decimals, written and read as money is.
pub type Rating = Money;

/// A picture of a product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProductImage {
    /// Its id.
    pub id: ImageId,
    /// Where it is; never fetched by the fleet.
    pub url: String,
    /// What it shows.
    pub alt_text: Option<String>,
    /// Whether it stands for the product; one at most does.
    pub primary: bool,
}

/// A line of a reservation, as the product service speaks (camelCase).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReservationLine {
    /// Which product.
    pub product_id: ProductId,
    /// How many pieces.
    pub quantity: i64,
}

impl From<&Line> for ReservationLine {
    fn from(line: &Line) -> Self {
        Self { product_id: line.product_id, quantity: line.quantity }
    }
}

/// `POST /api/products/reservations`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReservationRequest {
    /// The order that is about to be written; the reservation's key.
    pub order_id: OrderId,
    /// What to reserve: all or nothing.
    pub items: Vec<ReservationLine>,
}

/// A reservation as the product service answers it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reservation {
    /// Whose.
    pub order_id: OrderId,
    /// Its status.
    pub status: ReservationStatus,
    /// When it runs out, while it is `reserved`.
    pub expires_at: Option<DateTime<Utc>>,
    /// What it holds or held.
    pub items: Vec<ReservationLine>,
}

/// Why a reservation is refused: one line for each product that is short, as the product service speaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Shortage {
    /// Which product.
    pub product_id: ProductId,
    /// Pieces that were wanted.
    pub requested: i64,
    /// Pieces that are left.
    pub available: i64,
}

/// What another service needs to know of an order (`GET /api/orders/{id}`; the rest is ignored).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderSummary {
    /// Its id.
    pub id: OrderId,
    /// Whose.
    pub user_id: UserId,
    /// Its status.
    pub status: OrderStatus,
    /// How far its payment is.
    pub payment_status: OrderPaymentStatus,
    /// What it costs in all.
    pub total_amount: Money,
    /// In which currency.
    pub currency: String,
    /// Its payments, as far as the order service knows them.
    pub payments: Vec<OrderPaymentSummary>,
}

/// A payment as the order shows it, as far as another service needs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderPaymentSummary {
    /// Its id.
    pub id: crate::PaymentId,
    /// Its status.
    pub status: PaymentStatus,
}

/// Answer of `POST /ops/orders/{id}/abandon`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Abandoned {
    /// Whether the order exists; if not, it never will.
    pub exists: bool,
    /// Its status, if it exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<OrderStatus>,
}

/// Answer of `GET /ops/outbox`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OutboxState {
    /// Events that are not published yet.
    pub pending: u64,
    /// Age of the oldest of them, in seconds; 0 if there is none.
    pub oldest_seconds: u64,
}

/// Answer of `POST /api/auth/token` (RFC 6749, section 5.1).
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ServiceTokenAnswer {
    /// The token, to send as a bearer token.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: String,
    /// Seconds until it expires.
    pub expires_in: u64,
}

/// Revoked access of one account (`GET /api/auth/revocations`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revocation {
    /// Position in the feed; rises with each revocation.
    pub seq: i64,
    /// The account.
    pub user_id: UserId,
    /// The lowest access version (claim `av`) that is still valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_version: Option<i64>,
    /// The sessions that ended (claim `sid`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_ids: Option<Vec<String>>,
}

/// A page of the feed of revocations, in order of `seq`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RevocationPage {
    /// The revocations after the requested position.
    pub items: Vec<Revocation>,
    /// The position to continue from; the requested one where `items` is empty.
    pub next: i64,
}
