//! Response bodies shared by several endpoints.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use common::database::idempotency::StoredResponse;
use common::http::{ApiError, idempotent};
use contracts::actor::ActorBody;
use contracts::api::{PaymentMethod, PaymentStatus, RefundCause, RefundStatus};
use contracts::{Actor, Money, OrderId, PaymentId, RefundId, UserId};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::domain::{Payment, Refund, RefundOfPayment};
use crate::service::ToStoredResponse;

/// Name of the only payment provider.
pub(super) const PROVIDER: &str = "stripe";

/// Payment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Payment)]
pub(super) struct PaymentResponse {
    id: PaymentId,
    order_id: OrderId,
    user_id: UserId,
    /// Requested amount; the captured amount once the payment is completed.
    amount: Money,
    currency: String,
    status: PaymentStatus,
    method: PaymentMethod,
    provider: &'static str,
    /// Provider's intent, or the confirmed transaction.
    provider_transaction_id: Option<String>,
    description: Option<String>,
    failure_reason: Option<String>,
    /// Total of the succeeded refunds.
    refunded_amount: Money,
    refunds: Vec<RefundResponse>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// Time of the capture.
    processed_at: Option<DateTime<Utc>>,
    /// Time of the last refund.
    refunded_at: Option<DateTime<Utc>>,
}

/// Refund of a payment. A pending refund reserves its amount.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Refund)]
pub(super) struct RefundResponse {
    id: RefundId,
    amount: Money,
    status: RefundStatus,
    cause: RefundCause,
    reason: Option<String>,
    /// Caller that requested, retried or settled the refund.
    #[schema(value_type = ActorBody)]
    actor: Actor,
    /// Number of attempts at the amount due, starting at 1.
    attempts: u32,
    /// Set if the refund failed, is still due, and waits for an admin who retries or settles it.
    needs_attention: bool,
    created_at: DateTime<Utc>,
}

/// Refund with its payment and order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RefundOfPayment)]
pub(super) struct RefundOfPaymentResponse {
    #[serde(flatten)]
    refund: RefundResponse,
    payment_id: PaymentId,
    order_id: OrderId,
}

impl ToStoredResponse for Payment {
    fn to_stored_response(&self) -> Result<StoredResponse, ApiError> {
        idempotent::stored_json(StatusCode::OK, None, &PaymentResponse::from(self.clone()))
    }
}

impl ToStoredResponse for RefundOfPayment {
    fn to_stored_response(&self) -> Result<StoredResponse, ApiError> {
        idempotent::stored_json(StatusCode::OK, None, &RefundOfPaymentResponse::from(self.clone()))
    }
}

impl From<Payment> for PaymentResponse {
    fn from(payment: Payment) -> Self {
        Self {
            id: payment.id,
            order_id: payment.order_id,
            user_id: payment.user_id,
            amount: payment.effective_amount(),
            currency: payment.effective_currency().to_owned(),
            status: payment.status(),
            method: payment.method,
            provider: PROVIDER,
            provider_transaction_id: payment.effective_transaction().map(str::to_owned),
            refunded_amount: payment.refunded(),
            refunds: payment.refunds.into_iter().map(RefundResponse::from).collect(),
            description: payment.description,
            failure_reason: payment.failure_reason,
            // Validated as JSON before it was stored.
            metadata: payment.metadata.and_then(|text| RawValue::from_string(text).ok()),
            created_at: payment.created_at,
            updated_at: payment.updated_at,
            processed_at: payment.processed_at,
            refunded_at: payment.refunded_at,
        }
    }
}

impl From<Refund> for RefundResponse {
    fn from(refund: Refund) -> Self {
        Self {
            id: refund.id,
            amount: refund.amount,
            status: refund.status,
            cause: refund.cause,
            reason: refund.reason,
            actor: refund.actor,
            attempts: refund.attempts,
            needs_attention: refund.needs_attention,
            created_at: refund.created_at,
        }
    }
}

impl From<RefundOfPayment> for RefundOfPaymentResponse {
    fn from(found: RefundOfPayment) -> Self {
        Self { refund: found.refund.into(), payment_id: found.payment_id, order_id: found.order_id }
    }
}
