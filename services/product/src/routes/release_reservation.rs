//! `DELETE /api/products/reservations/{orderId}`

use axum::extract::State;
use axum::http::StatusCode;
use common::http::{ApiError, Path};
use common::http::{ServiceWith, scope};
use common::telemetry::record_order_id;
use contracts::{OrderId, Problem};

use crate::state::AppState;

/// Releases the reservation of an order. Without a reservation, none can be created later.
#[utoipa::path(
    delete,
    path = "/api/products/reservations/{orderId}",
    tag = "reservations",
    security(("bearer" = [])),
    params(("orderId" = OrderId, Path)),
    responses(
        (status = 204, description = "Released, or released already"),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN, INSUFFICIENT_SCOPE", body = Problem),
        (status = 409, description = "RESERVATION_COMMITTED", body = Problem),
    )
)]
pub(super) async fn release_reservation(
    State(app): State<AppState>,
    _service: ServiceWith<scope::ProductsReserve>,
    Path(order): Path<OrderId>,
) -> Result<StatusCode, ApiError> {
    record_order_id(order);
    app.inventory.release(order).await?;
    Ok(StatusCode::NO_CONTENT)
}
