//! `POST /api/refunds/{id}/retry`

use axum::extract::State;
use axum::response::Response;
use common::auth::AdminOnly;
use common::http::idempotent::{Keyed, once};
use common::http::{ApiError, OptionalJson, Path};
use contracts::{Problem, RefundId};
use serde::{Deserialize, Serialize};

use super::view::{RefundOfPaymentView, actor};
use crate::app::AppState;
use crate::domain::Payment;
use crate::till::Once;

/// Body of the request: nothing in it is read.
#[derive(Default, Deserialize, Serialize)]
pub(super) struct Body {}

/// Tries a refund that needs attention again, after it was looked up at the provider. Where the provider does not answer
/// now, the refund is shown as pending and is carried out later.
#[utoipa::path(
    post,
    path = "/api/refunds/{id}/retry",
    tag = "refunds",
    security(("bearer" = [])),
    params(
        ("id" = RefundId, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 characters; kept for 24 hours"),
    ),
    responses(
        (status = 200, body = RefundOfPaymentView),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: only an admin", body = Problem),
        (status = 404, description = "REFUND_NOT_FOUND", body = Problem),
        (status = 409, description = "REFUND_NOT_RETRYABLE: it does not need attention, or an attempt is in flight or its outcome unknown, IDEMPOTENCY_IN_FLIGHT", body = Problem),
        (status = 422, description = "IDEMPOTENCY_MISMATCH", body = Problem),
        (status = 502, description = "PROVIDER_ERROR: the provider refused; the refund still needs attention", body = Problem),
        (status = 503, description = "PROVIDER_UNAVAILABLE, with Retry-After: nothing was sent", body = Problem),
    )
)]
pub(super) async fn retry_refund(
    State(app): State<AppState>,
    AdminOnly(caller): AdminOnly,
    Path(id): Path<RefundId>,
    request: Keyed<OptionalJson<Body>>,
) -> Result<Response, ApiError> {
    let keyed = request.request(&caller);
    once(&app.keys, keyed, async |turn| {
        let kept = |payment: &Payment| RefundOfPaymentView::response(payment, id).ok();
        let payment = app.till.retry_refund(id, actor(&caller), Once::new(turn.as_ref(), &kept)).await?;
        RefundOfPaymentView::response(&payment, id)
    })
    .await
}
