//! Bodies of calls between services.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::event::Line;
pub use crate::status::{
    ActorKind, OrderPaymentStatus, OrderStatus, ParseEnumError, PaymentMethod, PaymentMode, PaymentStatus, RefundCause,
    RefundStatus, ReservationStatus,
};
use crate::{ImageId, Money, OrderId, ProductId, UserId};

/// Product as returned by the product service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    /// Id of the product.
    pub id: ProductId,
    /// Name of the product.
    pub name: String,
    /// Description of the product.
    pub description: String,
    /// Price per piece.
    pub price: Money,
    /// Category of the product.
    pub category: String,
    /// Pieces available for reservation.
    pub stock_quantity: i64,
    /// Brand of the product.
    pub brand: Option<String>,
    /// SKU of the product, unique.
    pub sku: Option<String>,
    /// Mean of the reviews' ratings in hundredths, as a number with two decimals; 0 without a review.
    pub average_rating: Rating,
    /// Number of reviews.
    pub review_count: i64,
    /// True while the product is on sale.
    pub active: bool,
    /// Images of the product.
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
    /// Id of the image.
    pub id: ImageId,
    /// Address of the image; never fetched by the fleet.
    pub url: String,
    /// Alternative text of the image.
    pub alt_text: Option<String>,
    /// True for the product's primary image; at most one is.
    pub primary: bool,
}

/// Line of a reservation, in the product service's field names (camelCase).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReservationLine {
    /// Product of the reservation line.
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
    /// Order of the reservation.
    pub order_id: OrderId,
    /// Status of the reservation.
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
    /// Product with insufficient stock.
    pub product_id: ProductId,
    /// Requested pieces of the product.
    pub requested: i64,
    /// Available pieces of the product.
    pub available: i64,
}

/// Order as other services read it (`GET /api/orders/{id}`; further fields are ignored).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderSummary {
    /// Id of the order.
    pub id: OrderId,
    /// Customer of the order.
    pub user_id: UserId,
    /// Status of the order.
    pub status: OrderStatus,
    /// Payment status of the order.
    pub payment_status: OrderPaymentStatus,
    /// Total amount of the order.
    pub total_amount: Money,
    /// Currency of the order (ISO 4217).
    pub currency: String,
    /// Payments known to the order service.
    pub payments: Vec<OrderPaymentSummary>,
}

/// Payment within an order, as other services read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderPaymentSummary {
    /// Id of the payment.
    pub id: crate::PaymentId,
    /// Status of the payment.
    pub status: PaymentStatus,
}

/// Response of `POST /ops/orders/{id}/abandon`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Abandoned)]
pub struct AbandonResponse {
    /// True if the order exists; otherwise it never will.
    pub exists: bool,
    /// Status, if the order exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<OrderStatus>,
}

/// Response of `GET /ops/outbox`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OutboxState {
    /// Number of unpublished events.
    pub pending: u64,
    /// Age of the oldest unpublished event, in seconds; 0 if there is none.
    pub oldest_seconds: u64,
}

/// Response of `POST /api/auth/token` (RFC 6749, section 5.1).
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ServiceTokenAnswer)]
pub struct TokenResponse {
    /// Bearer token.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: String,
    /// Lifetime of the access token in seconds.
    pub expires_in: u64,
}

/// Revoked access of one account (`GET /api/auth/revocations`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revocation {
    /// Position in the feed; rises with each revocation.
    pub seq: i64,
    /// Account whose access was revoked.
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
