//! `GET /api/orders/number/{order_number}`

use axum::extract::State;
use common::auth::{Scoped, scope};
use common::http::{ApiError, Json, Path};
use contracts::Problem;

use super::access;
use super::view::OrderView;
use crate::app::AppState;
use crate::domain::OrderNumber;
use crate::error::Error;

/// The order of a number.
#[utoipa::path(
    get,
    path = "/api/orders/number/{order_number}",
    tag = "orders",
    security(("bearer" = [])),
    params(("order_number" = String, Path, example = "ORD-1GJ5H8Q2Z7KX03PM")),
    responses(
        (status = 200, body = OrderView),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "INSUFFICIENT_SCOPE", body = Problem),
        (status = 404, description = "ORDER_NOT_FOUND, also for another person's", body = Problem),
    )
)]
pub(super) async fn get_order_by_number(
    State(app): State<AppState>,
    caller: Scoped<scope::OrdersRead>,
    Path(number): Path<String>,
) -> Result<Json<OrderView>, ApiError> {
    let caller = caller.into_inner();
    // What cannot be a number is none that exists.
    let order = match number.parse::<OrderNumber>() {
        Ok(number) => app.book.store().find_by_number(&number).await?,
        Err(_) => None,
    };
    let order = access::visible(order, &caller).map_err(Error::from)?;
    Ok(Json(OrderView::new(order, app.payment_deadline)?))
}
