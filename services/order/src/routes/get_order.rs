//! `GET /api/orders/{id}`

use axum::extract::State;
use common::http::{ApiError, Json, Path};
use common::http::{UserOr, scope};
use common::telemetry::record_order_id;
use contracts::{OrderId, Problem};

use super::response::OrderResponse;
use crate::state::AppState;

/// Returns an order.
#[utoipa::path(
    get,
    path = "/api/orders/{id}",
    tag = "orders",
    security(("bearer" = [])),
    params(("id" = OrderId, Path)),
    responses(
        (status = 200, body = OrderResponse),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "INSUFFICIENT_SCOPE", body = Problem),
        (status = 404, description = "ORDER_NOT_FOUND, also for an order of another customer", body = Problem),
    )
)]
pub(super) async fn get_order(
    State(app): State<AppState>,
    caller: UserOr<scope::OrdersRead>,
    Path(id): Path<OrderId>,
) -> Result<Json<OrderResponse>, ApiError> {
    let caller = caller.into_inner();
    record_order_id(id);
    let order = app.orders.get(&caller, id).await?;
    Ok(Json(OrderResponse::for_caller(&caller, order, app.payment_deadline)?))
}
