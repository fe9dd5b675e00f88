//! `GET /api/products/reservations/{orderId}`

use axum::extract::State;
use common::http::{ApiError, Json, Path};
use common::http::{ServiceWith, scope};
use common::telemetry::record_order_id;
use contracts::api::Reservation;
use contracts::{OrderId, Problem};

use crate::state::AppState;

/// Returns the reservation of an order.
#[utoipa::path(
    get,
    path = "/api/products/reservations/{orderId}",
    tag = "reservations",
    security(("bearer" = [])),
    params(("orderId" = OrderId, Path)),
    responses(
        (status = 200, body = Reservation),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN, INSUFFICIENT_SCOPE", body = Problem),
        (status = 404, description = "RESERVATION_NOT_FOUND", body = Problem),
    )
)]
pub(super) async fn get_reservation(
    State(app): State<AppState>,
    _service: ServiceWith<scope::ProductsReserve>,
    Path(order): Path<OrderId>,
) -> Result<Json<Reservation>, ApiError> {
    record_order_id(order);
    Ok(Json(app.inventory.find_reservation(order).await?))
}
