//! `POST /api/refunds/{id}/settle`

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

/// Books that a refund was paid by hand: one of a payment that was made outside the provider, or one that needs attention.
/// It is never sent again.
#[utoipa::path(
    post,
    path = "/api/refunds/{id}/settle",
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
        (status = 409, description = "REFUND_NOT_SETTLEABLE: it is neither external nor in need of attention, or an attempt is in flight, or less than its amount is still owed (the detail and `owed` say how much); IDEMPOTENCY_IN_FLIGHT", body = Problem),
        (status = 422, description = "IDEMPOTENCY_MISMATCH", body = Problem),
    )
)]
pub(super) async fn settle_refund(
    State(app): State<AppState>,
    AdminOnly(caller): AdminOnly,
    Path(id): Path<RefundId>,
    request: Keyed<OptionalJson<Body>>,
) -> Result<Response, ApiError> {
    let keyed = request.request(&caller);
    once(&app.keys, keyed, async |turn| {
        let kept = |payment: &Payment| RefundOfPaymentView::response(payment, id).ok();
        let payment = app.till.settle_refund(id, actor(&caller), Once::new(turn.as_ref(), &kept)).await?;
        RefundOfPaymentView::response(&payment, id)
    })
    .await
}
