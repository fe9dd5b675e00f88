//! `GET /api/payments/{id}`

use axum::extract::State;
use common::http::{ApiError, Json, Path};
use common::http::{UserOr, scope};
use contracts::{PaymentId, Problem};

use super::response::PaymentResponse;
use crate::state::AppState;

/// Returns a payment.
#[utoipa::path(
    get,
    path = "/api/payments/{id}",
    tag = "payments",
    security(("bearer" = [])),
    params(("id" = PaymentId, Path)),
    responses(
        (status = 200, body = PaymentResponse),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "INSUFFICIENT_SCOPE: a service without payments:read", body = Problem),
        (status = 404, description = "PAYMENT_NOT_FOUND, also for another person's", body = Problem),
    )
)]
pub(super) async fn get_payment(
    State(app): State<AppState>,
    caller: UserOr<scope::PaymentsRead>,
    Path(id): Path<PaymentId>,
) -> Result<Json<PaymentResponse>, ApiError> {
    Ok(Json(app.payments.find(id, &caller.0).await?.into()))
}
