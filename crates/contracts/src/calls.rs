//! Bodies of calls between services, and the states that several services share.

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
            /// All values.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Returns the text used in bodies, events and stores.
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

/// Text that is not a known value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not one of {known}")]
pub struct UnknownState {
    text: String,
    known: String,
}

states!(
    /// Status of an order.
    OrderStatus {
        /// Placed, not yet paid.
        Pending = "pending",
        /// Paid, or accepted by an admin.
        Confirmed = "confirmed",
        /// Being packed.
        Processing = "processing",
        /// Shipped to the customer.
        Shipped = "shipped",
        /// Delivered to the customer.
        Delivered = "delivered",
        /// Cancelled; stock and money are returned.
        Cancelled = "cancelled",
    }
);
states!(
    /// Payment status of an order, derived from its payments.
    OrderPaymentStatus {
        /// No payment is processing; also while one waits for the customer.
        Pending = "pending",
        /// The provider is processing a payment.
        Processing = "processing",
        /// The captured amount covers the total.
        Completed = "completed",
        /// The last payment failed.
        Failed = "failed",
        /// The captured amount was fully refunded.
        Refunded = "refunded",
    }
);
states!(
    /// Status of a payment.
    PaymentStatus {
        /// Created; the customer has to act.
        Pending = "pending",
        /// The provider is processing the payment, or it is being settled.
        Processing = "processing",
        /// Captured.
        Completed = "completed",
        /// Declined.
        Failed = "failed",
        /// Fully refunded.
        Refunded = "refunded",
        /// Cancelled before the capture.
        Cancelled = "cancelled",
    }
);
states!(
    /// Payment method.
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
    /// Cause of a refund.
    RefundCause {
        /// Granted by staff; lowers the amount due.
        Granted = "granted",
        /// The order was cancelled.
        Cancelled = "cancelled",
        /// The capture came after the cancellation, or with another amount or currency.
        Late = "late",
        /// The order was already paid.
        Doubled = "doubled",
        /// The provider refunded on its own.
        Provider = "provider",
    }
);
states!(
    /// Status of a refund.
    RefundStatus {
        /// Requested; the amount is not refundable meanwhile.
        Pending = "pending",
        /// The money was refunded.
        Succeeded = "succeeded",
        /// Rejected; the amount is refundable again.
        Failed = "failed",
    }
);
states!(
    /// Status of a reservation.
    ReservationStatus {
        /// Held until it expires.
        Reserved = "reserved",
        /// Held without expiry: the order exists.
        Held = "held",
        /// Sold.
        Committed = "committed",
        /// Refunded amount.
        Released = "released",
    }
);

/// Product as returned by the product service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    /// Id.
    pub id: ProductId,
    /// Name.
    pub name: String,
    /// Description.
    pub description: String,
    /// Price per piece.
    pub price: Money,
    /// Category.
    pub category: String,
    /// Pieces available for reservation.
    pub stock_quantity: i64,
    /// Brand.
    pub brand: Option<String>,
    /// SKU, unique.
    pub sku: Option<String>,
    /// Mean of the reviews' ratings in hundredths, as a number with two decimals; 0 without a review.
    pub average_rating: Rating,
    /// Number of reviews.
    pub review_count: i64,
    /// True while the product is on sale.
    pub active: bool,
    /// Images.
    pub images: Vec<ProductImage>,
    /// Time of creation.
    pub created_at: DateTime<Utc>,
    /// Time of the last change.
    pub updated_at: DateTime<Utc>,
}

/// Mean rating, exact to two decimals, in the format of money.
pub type Rating = Money;

/// Image of a product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProductImage {
    /// Id.
    pub id: ImageId,
    /// Address of the image; never fetched by the fleet.
    pub url: String,
    /// Alternative text.
    pub alt_text: Option<String>,
    /// True for the product's primary image; at most one is.
    pub primary: bool,
}

/// Line of a reservation, in the product service's field names (camelCase).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReservationLine {
    /// Product.
    pub product_id: ProductId,
    /// Number of pieces.
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
    /// Order to be written; the reservation's key.
    pub order_id: OrderId,
    /// Lines to reserve: all or none.
    pub items: Vec<ReservationLine>,
}

/// Reservation as returned by the product service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reservation {
    /// Account.
    pub order_id: OrderId,
    /// Status.
    pub status: ReservationStatus,
    /// Expiry, while the status is `reserved`.
    pub expires_at: Option<DateTime<Utc>>,
    /// Lines of the reservation.
    pub items: Vec<ReservationLine>,
}

/// Shortage of one product that rejects a reservation, in the product service's field names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Shortage {
    /// Product.
    pub product_id: ProductId,
    /// Requested pieces.
    pub requested: i64,
    /// Remaining pieces.
    pub available: i64,
}

/// Order as other services read it (`GET /api/orders/{id}`; further fields are ignored).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderSummary {
    /// Id.
    pub id: OrderId,
    /// Account.
    pub user_id: UserId,
    /// Status.
    pub status: OrderStatus,
    /// Payment status.
    pub payment_status: OrderPaymentStatus,
    /// Total amount.
    pub total_amount: Money,
    /// Currency (ISO 4217).
    pub currency: String,
    /// Payments known to the order service.
    pub payments: Vec<OrderPaymentSummary>,
}

/// Payment within an order, as other services read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderPaymentSummary {
    /// Id.
    pub id: crate::PaymentId,
    /// Status.
    pub status: PaymentStatus,
}

/// Response of `POST /ops/orders/{id}/abandon`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Abandoned {
    /// True if the order exists; otherwise it never will.
    pub exists: bool,
    /// Status, if the order exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<OrderStatus>,
}

/// Response of `GET /ops/outbox`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OutboxState {
    /// Unpublished events.
    pub pending: u64,
    /// Age of the oldest unpublished event, in seconds; 0 if there is none.
    pub oldest_seconds: u64,
}

/// Response of `POST /api/auth/token` (RFC 6749, section 5.1).
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ServiceTokenAnswer {
    /// Bearer token.
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
    /// Account.
    pub user_id: UserId,
    /// Lowest access version (claim `av`) that is still valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_version: Option<i64>,
    /// Ended sessions (claim `sid`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_ids: Option<Vec<String>>,
}

/// Page of the revocation feed, in order of `seq`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RevocationPage {
    /// Revocations after the requested position.
    pub items: Vec<Revocation>,
    /// Position to continue from; the requested one where `items` is empty.
    pub next: i64,
}
