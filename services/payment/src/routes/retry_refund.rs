//! `POST /api/refunds/{id}/retry`

use axum::extract::State;
use axum::response::Response;
use common::http::AdminOnly;
use common::http::idempotent::{Idempotent, run_idempotent};
use common::http::{ApiError, OptionalJson, Path};
use contracts::{Problem, RefundId};

use super::request::EmptyRequest;
use super::response::RefundOfPaymentResponse;
use crate::service::{IdempotentOperation, ToStoredResponse};
use crate::state::AppState;

/// Retries a refund that needs attention, after a look-up at the provider. If the provider is unavailable, the refund is
/// pending and is made later.
#[utoipa::path(
    post,
    path = "/api/refunds/{id}/retry",
    tag = "refunds",
    security(("bearer" = [])),
    params(
        ("id" = RefundId, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 characters; stored for 24 hours"),
    ),
    responses(
        (status = 200, body = RefundOfPaymentResponse),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: only an admin", body = Problem),
        (status = 404, description = "REFUND_NOT_FOUND", body = Problem),
        (status = 409, description = "REFUND_NOT_RETRYABLE: it does not need attention, or an attempt is in flight or its outcome unknown, IDEMPOTENCY_IN_FLIGHT", body = Problem),
        (status = 422, description = "IDEMPOTENCY_MISMATCH", body = Problem),
        (status = 502, description = "PROVIDER_ERROR: the provider rejected the refund, which still needs attention", body = Problem),
        (status = 503, description = "PROVIDER_UNAVAILABLE, with Retry-After: nothing was sent", body = Problem),
    )
)]
pub(super) async fn retry_refund(
    State(app): State<AppState>,
    AdminOnly(caller): AdminOnly,
    Path(id): Path<RefundId>,
    request: Idempotent<OptionalJson<EmptyRequest>>,
) -> Result<Response, ApiError> {
    let keyed = request.for_caller(&caller);
    run_idempotent(&app.keys, keyed, async |lease| {
        let operation = IdempotentOperation::new(lease.as_ref());
        app.payments.retry_refund(id, caller.actor(), operation).await?.to_stored_response()
    })
    .await
}
