//! A payment as clients see it.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use common::auth::Caller;
use common::http::{ApiError, idempotent};
use common::idempotency::KeptAnswer;
use contracts::calls::{PaymentMethod, PaymentStatus, RefundCause, RefundStatus};
use contracts::{Money, OrderId, PaymentId, RefundId, UserId};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::domain::{Actor, Payment, Refund, Refusal};
use crate::error::Error;

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
    actor: ActorView,
    /// Number of the attempt of what is owed, from 1.
    attempts: u32,
    /// Whether it failed, is owed, and waits for a person who retries or settles it.
    needs_attention: bool,
    created_at: DateTime<Utc>,
}

/// Refund with the payment and the order that it is of.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RefundOfPayment)]
pub(super) struct RefundOfPaymentView {
    #[serde(flatten)]
    refund: RefundView,
    payment_id: PaymentId,
    order_id: OrderId,
}

impl RefundOfPaymentView {
    /// Returns the response of a call that changed a refund: the refund as it is now.
    ///
    /// # Errors
    /// 404 `REFUND_NOT_FOUND` if the payment has no such refund.
    pub(super) fn response(payment: &Payment, id: RefundId) -> Result<KeptAnswer, ApiError> {
        let refund = payment.refunds.iter().find(|refund| refund.id == id).cloned();
        let refund = refund.ok_or(Error::Refused(Refusal::RefundNotFound))?;
        let view = Self { refund: refund.into(), payment_id: payment.id, order_id: payment.order_id };
        idempotent::answer(StatusCode::OK, None, &view)
    }
}

/// Caller who asked for a refund, retried or settled it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RefundActor)]
struct ActorView {
    /// `admin`, `service`, or `system` where nobody asked.
    r#type: &'static str,
    /// The account's or client's id.
    id: Option<String>,
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
            actor: refund.actor.map_or(ActorView { r#type: "system", id: None }, |actor| ActorView {
                r#type: actor.kind(),
                id: Some(actor.id().to_owned()),
            }),
            attempts: refund.attempts,
            needs_attention: refund.needs_attention,
            created_at: refund.created_at,
        }
    }
}

/// The caller as the actor of a refund.
pub(super) fn actor(caller: &Caller) -> Actor {
    let id = caller.subject.clone();
    if caller.is_service() { Actor::Service(id) } else { Actor::Admin(id) }
}
