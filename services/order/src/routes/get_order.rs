//! `GET /api/orders/{id}`

use axum::extract::State;
use common::auth::{Scoped, scope};
use common::http::{ApiError, Json, Path};
use common::telemetry::about_order;
use contracts::{OrderId, Problem};

use super::access;
use super::view::OrderView;
use crate::app::AppState;
use crate::error::Error;

/// An order.
#[utoipa::path(
    get,
    path = "/api/orders/{id}",
    tag = "orders",
    security(("bearer" = [])),
    params(("id" = OrderId, Path)),
    responses(
        (status = 200, body = OrderView),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "INSUFFICIENT_SCOPE", body = Problem),
        (status = 404, description = "ORDER_NOT_FOUND, also for another person's", body = Problem),
    )
)]
pub(super) async fn get_order(
    State(app): State<AppState>,
    caller: Scoped<scope::OrdersRead>,
    Path(id): Path<OrderId>,
) -> Result<Json<OrderView>, ApiError> {
    let caller = caller.into_inner();
    about_order(id);
    let order = access::visible(app.book.find(id).await?, &caller).map_err(Error::from)?;
    Ok(Json(OrderView::new(order, app.payment_deadline)?))
}
