//! `POST /ops/orders/{id}/abandon`

use axum::extract::State;
use common::http::{ApiError, Json, Path};
use common::http::{ServiceWith, scope};
use common::telemetry::record_order_id;
use contracts::api::AbandonResponse;
use contracts::{OrderId, Problem};

use crate::state::AppState;

/// Returns whether an order exists, and makes sure that an id without an order never becomes one.
#[utoipa::path(
    post,
    path = "/ops/orders/{id}/abandon",
    tag = "ops",
    security(("bearer" = [])),
    params(("id" = OrderId, Path)),
    responses(
        (status = 200, body = AbandonResponse),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: services only; INSUFFICIENT_SCOPE", body = Problem),
    )
)]
pub(super) async fn abandon_order(
    State(app): State<AppState>,
    _caller: ServiceWith<scope::OrdersAbandon>,
    Path(id): Path<OrderId>,
) -> Result<Json<AbandonResponse>, ApiError> {
    record_order_id(id);
    let status = app.orders.abandon(id).await?;
    Ok(Json(AbandonResponse { exists: status.is_some(), status }))
}
