//! `POST /api/payments/{id}/refund`

use axum::extract::State;
use axum::response::Response;
use common::auth::Caller;
use common::http::idempotent::{Idempotent, run_idempotent};
use common::http::{AdminOr, scope};
use common::http::{ApiError, OptionalJson, Path, Validator};
use contracts::{Money, PaymentId, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::response::PaymentResponse;
use crate::domain::NewRefund;
use crate::service::{IdempotentOperation, ToStoredResponse};
use crate::state::AppState;

const MAX_REASON_CHARS: usize = 500;

/// Request body.
#[derive(Default, Deserialize, Serialize, ToSchema)]
#[schema(as = NewRefund)]
pub(super) struct RefundPaymentRequest {
    /// Amount to refund; the refundable amount if omitted.
    amount: Option<Money>,
    #[schema(max_length = 500)]
    reason: Option<String>,
}

/// Refunds a payment in full or in part. If the provider is unavailable, the refund is pending and is made later. For a
/// payment confirmed as made elsewhere, the request reports a manual refund.
#[utoipa::path(
    post,
    path = "/api/payments/{id}/refund",
    tag = "payments",
    security(("bearer" = [])),
    params(
        ("id" = PaymentId, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 characters; stored for 24 hours"),
    ),
    request_body = Option<RefundPaymentRequest>,
    responses(
        (status = 200, body = PaymentResponse),
        (status = 400, description = "NOT_REFUNDABLE, REFUND_TOO_LARGE, VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN, INSUFFICIENT_SCOPE: only an admin or a service with payments:refund", body = Problem),
        (status = 404, description = "PAYMENT_NOT_FOUND", body = Problem),
        (status = 409, description = "IDEMPOTENCY_IN_FLIGHT", body = Problem),
        (status = 422, description = "IDEMPOTENCY_MISMATCH", body = Problem),
        (status = 502, description = "PROVIDER_ERROR: the provider rejected the refund, the amount is refundable again", body = Problem),
    )
)]
pub(super) async fn refund_payment(
    State(app): State<AppState>,
    caller: AdminOr<scope::PaymentsRefund>,
    Path(id): Path<PaymentId>,
    request: Idempotent<OptionalJson<RefundPaymentRequest>>,
) -> Result<Response, ApiError> {
    let caller = caller.into_inner();
    let keyed = request.for_caller(&caller);
    let body = request.input.0.unwrap_or_default();
    // Validation follows the look-up of the key, so that a replay does not depend on it.
    run_idempotent(&app.keys, keyed, async |lease| {
        let operation = IdempotentOperation::new(lease.as_ref());
        app.payments.refund(id, body.validate(&caller)?, operation).await?.to_stored_response()
    })
    .await
}

impl RefundPaymentRequest {
    fn validate(self, caller: &Caller) -> Result<NewRefund, ApiError> {
        let mut checks = Validator::new();
        if self.amount.is_some_and(Money::is_zero) {
            checks.fail("amount", "must be at least 0.01");
        }
        let reason = checks.optional_text("reason", self.reason, MAX_REASON_CHARS);
        checks.finish(Some(NewRefund { amount: self.amount, reason, actor: caller.actor() }))
    }
}
