//! Rows of `GET /ops/audit`: stock and money, in pages sorted by id.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::event::Line;
use crate::status::{OrderPaymentStatus, OrderStatus, PaymentStatus};
use crate::{Money, OrderId, PaymentId, ProductId, UserId};

/// Stock of a product (`GET /ops/audit` of the product service).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ProductAudit {
    /// Product.
    pub id: ProductId,
    /// Initial pieces of the product.
    pub initial: i64,
    /// Net pieces added by manual adjustments.
    pub adjustments: i64,
    /// Pieces available for reservation.
    pub available: i64,
    /// Reserved pieces of the product.
    pub reserved: i64,
    /// Sold pieces of the product.
    pub sold: i64,
    /// Reserved pieces whose reservation can still expire: their order may not exist yet, or never will.
    #[serde(default)]
    pub expiring: i64,
}

/// Order row of the audit (`GET /ops/audit` of the order service).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OrderAudit {
    /// Order.
    pub id: OrderId,
    /// Customer of the order.
    pub user_id: UserId,
    /// Customer who placed the order: the subject of the token.
    pub placed_by: String,
    /// Status of the order.
    pub status: OrderStatus,
    /// Payment status of the order.
    pub payment_status: OrderPaymentStatus,
    /// Total amount of the order.
    pub total_amount: Money,
    /// Idempotency key of the placement, if there was one.
    pub idempotency_key: Option<String>,
    /// Lines of the order.
    pub items: Vec<Line>,
    /// Total captured amount.
    pub captured: Money,
    /// Total refunded amount.
    pub refunded: Money,
    /// Time of placement.
    pub created_at: DateTime<Utc>,
}

/// Payment row of the audit (`GET /ops/audit` of the payment service).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PaymentAudit {
    /// Payment.
    pub id: PaymentId,
    /// Order of the payment.
    pub order_id: OrderId,
    /// Provider's intent, once it exists.
    pub intent: Option<String>,
    /// Transaction of the payment outside the provider.
    pub transaction_id: Option<String>,
    /// True if the payment was made outside the provider, which then has no record of it.
    pub external: bool,
    /// Status of the payment.
    pub status: PaymentStatus,
    /// Requested amount of the payment.
    pub amount: Money,
    /// Total captured amount.
    pub captured: Money,
    /// Total refunded amount.
    pub refunded: Money,
    /// Part of it that was granted, which lowers the amount due.
    pub granted: Money,
    /// Amount of pending refunds.
    #[serde(default)]
    pub refunding: Money,
    /// Amount due that waits for an admin.
    #[serde(default)]
    pub awaiting: Money,
    /// Amount refunded outside the provider.
    #[serde(default)]
    pub refunded_outside: Money,
}
