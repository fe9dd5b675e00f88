//! `GET /api/orders/number/{order_number}`

use axum::extract::State;
use common::http::{ApiError, Json, Path};
use common::http::{UserOr, scope};
use contracts::Problem;

use super::response::OrderResponse;
use crate::state::AppState;

/// Returns the order with this number.
#[utoipa::path(
    get,
    path = "/api/orders/number/{order_number}",
    tag = "orders",
    security(("bearer" = [])),
    params(("order_number" = String, Path, example = "ORD-1GJ5H8Q2Z7KX03PM")),
    responses(
        (status = 200, body = OrderResponse),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "INSUFFICIENT_SCOPE", body = Problem),
        (status = 404, description = "ORDER_NOT_FOUND, also for an order of another customer", body = Problem),
    )
)]
pub(super) async fn get_order_by_number(
    State(app): State<AppState>,
    caller: UserOr<scope::OrdersRead>,
    Path(number): Path<String>,
) -> Result<Json<OrderResponse>, ApiError> {
    let caller = caller.into_inner();
    let order = app.orders.get_by_number(&caller, &number).await?;
    Ok(Json(OrderResponse::for_caller(&caller, order, app.payment_deadline)?))
}
