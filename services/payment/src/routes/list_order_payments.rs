//! `GET /api/payments/order/{orderId}`

use axum::extract::State;
use common::http::{ApiError, Json, Path};
use common::http::{UserOr, scope};
use common::telemetry::record_order_id;
use contracts::{OrderId, Problem};

use super::response::PaymentResponse;
use crate::state::AppState;

/// Lists the payments of an order, oldest first.
#[utoipa::path(
    get,
    path = "/api/payments/order/{order_id}",
    tag = "payments",
    security(("bearer" = [])),
    params(("order_id" = OrderId, Path)),
    responses(
        (status = 200, body = Vec<PaymentResponse>),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "INSUFFICIENT_SCOPE: a service without payments:read", body = Problem),
        (status = 404, description = "ORDER_NOT_FOUND, also for another person's", body = Problem),
        (status = 503, description = "SERVICE_UNAVAILABLE: the owner of the order cannot be determined now", body = Problem),
    )
)]
pub(super) async fn list_order_payments(
    State(app): State<AppState>,
    caller: UserOr<scope::PaymentsRead>,
    Path(id): Path<OrderId>,
) -> Result<Json<Vec<PaymentResponse>>, ApiError> {
    record_order_id(id);
    let payments = app.payments.list_by_order(id, &caller.0).await?;
    Ok(Json(payments.into_iter().map(PaymentResponse::from).collect()))
}
