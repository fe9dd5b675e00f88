//! A payment as clients see it.

use chrono::{DateTime, Utc};
use contracts::calls::{PaymentMethod, PaymentStatus, RefundCause, RefundStatus};
use contracts::{Money, OrderId, PaymentId, RefundId, UserId};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::domain::{Payment, Refund};

/// The one provider that there is.
pub(super) const PROVIDER: &str = "stripe";

/// A payment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Payment)]
pub(super) struct PaymentView {
    id: PaymentId,
    order_id: OrderId,
    user_id: UserId,
    /// What is asked for; once it is completed, what was taken.
    amount: Money,
    currency: String,
    status: PaymentStatus,
    method: PaymentMethod,
    provider: &'static str,
    /// The provider's intent, or the transaction that it was confirmed with.
    provider_transaction_id: Option<String>,
    description: Option<String>,
    failure_reason: Option<String>,
    /// What went back: the sum of the refunds that succeeded.
    refunded_amount: Money,
    refunds: Vec<RefundView>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// When the money was taken.
    processed_at: Option<DateTime<Utc>>,
    /// When money last went back.
    refunded_at: Option<DateTime<Utc>>,
}

/// Money that goes back. One that is pending holds its amount.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Refund)]
pub(super) struct RefundView {
    id: RefundId,
    amount: Money,
    status: RefundStatus,
    cause: RefundCause,
    reason: Option<String>,
    created_at: DateTime<Utc>,
}

impl From<Payment> for PaymentView {
    fn from(payment: Payment) -> Self {
        Self {
            id: payment.id,
            order_id: payment.order_id,
            user_id: payment.user_id,
            amount: payment.shown_amount(),
            currency: payment.shown_currency().to_owned(),
            status: payment.status(),
            method: payment.method,
            provider: PROVIDER,
            provider_transaction_id: payment.shown_transaction().map(str::to_owned),
            refunded_amount: payment.refunded(),
            refunds: payment.refunds.into_iter().map(RefundView::from).collect(),
            description: payment.description,
            failure_reason: payment.failure_reason,
            // It was JSON when it was stored.
            metadata: payment.metadata.and_then(|text| RawValue::from_string(text).ok()),
            created_at: payment.created_at,
            updated_at: payment.updated_at,
            processed_at: payment.processed_at,
            refunded_at: payment.refunded_at,
        }
    }
}

impl From<Refund> for RefundView {
    fn from(refund: Refund) -> Self {
        Self {
            id: refund.id,
            amount: refund.amount,
            status: refund.status,
            cause: refund.cause,
            reason: refund.reason,
            created_at: refund.created_at,
        }
    }
}
