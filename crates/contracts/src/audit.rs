//! What the services tell an auditor: goods and money, row by row, in one page after another sorted by id.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::calls::{OrderPaymentStatus, OrderStatus, PaymentStatus};
use crate::event::Line;
use crate::{Money, OrderId, PaymentId, ProductId, UserId};

/// The pieces of a product (`GET /ops/audit` of the product service).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ProductAudit {
    /// Which product.
    pub id: ProductId,
    /// Pieces that it began with.
    pub initial: i64,
    /// Pieces that were added by hand, less those that were taken away.
    pub adjustments: i64,
    /// Pieces that are left to reserve.
    pub available: i64,
    /// Pieces that are reserved.
    pub reserved: i64,
    /// Pieces that are sold.
    pub sold: i64,
    /// Those of the reserved pieces whose reservation still runs out: their order may not exist yet, or never will.
    #[serde(default)]
    pub expiring: i64,
}

/// An order (`GET /ops/audit` of the order service).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OrderAudit {
    /// Which order.
    pub id: OrderId,
    /// Whose.
    pub user_id: UserId,
    /// Who placed it: the subject of the token.
    pub placed_by: String,
    /// Its status.
    pub status: OrderStatus,
    /// How far its payment is.
    pub payment_status: OrderPaymentStatus,
    /// What it costs in all.
    pub total_amount: Money,
    /// The idempotency key that it was placed with, if there was one.
    pub idempotency_key: Option<String>,
    /// What was ordered.
    pub items: Vec<Line>,
    /// Money that was ever taken for it.
    pub captured: Money,
    /// Money that was ever given back.
    pub refunded: Money,
    /// When it was placed.
    pub created_at: DateTime<Utc>,
}

/// A payment (`GET /ops/audit` of the payment service).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PaymentAudit {
    /// Which payment.
    pub id: PaymentId,
    /// Of which order.
    pub order_id: OrderId,
    /// The provider's intent, once there is one.
    pub intent: Option<String>,
    /// The transaction by which it was paid elsewhere.
    pub transaction_id: Option<String>,
    /// Whether it was paid elsewhere, so that the provider knows nothing of its money.
    pub external: bool,
    /// Its status.
    pub status: PaymentStatus,
    /// What was asked for.
    pub amount: Money,
    /// What was ever taken.
    pub captured: Money,
    /// What was ever given back.
    pub refunded: Money,
    /// What of that was granted, so that it lowers what the order is worth.
    pub granted: Money,
    /// What is on its way back.
    #[serde(default)]
    pub refunding: Money,
    /// What is owed and waits for a person.
    #[serde(default)]
    pub awaiting: Money,
    /// What was paid back by hand, outside the provider.
    #[serde(default)]
    pub refunded_outside: Money,
}
