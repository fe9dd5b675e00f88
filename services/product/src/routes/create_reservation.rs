//! `POST /api/products/reservations`

use axum::extract::State;
use axum::http::StatusCode;
use common::http::{ApiError, Json, Validator};
use common::http::{ServiceWith, scope};
use common::telemetry::record_order_id;
use contracts::api::{Reservation, ReservationLine, ReservationRequest};
use contracts::limits::{MAX_ORDER_LINES, MAX_QUANTITY};
use contracts::{OrderId, Problem, ProductId};
use serde::Deserialize;

use crate::domain::merge_lines;
use crate::state::AppState;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateReservationRequest {
    order_id: Option<OrderId>,
    items: Option<Vec<Item>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    product_id: Option<ProductId>,
    quantity: Option<i64>,
}

/// Reserves all lines or none, until the order is confirmed or cancelled or the reservation expires. Lines of the same
/// product are merged.
#[utoipa::path(
    post,
    operation_id = "reserve",
    path = "/api/products/reservations",
    tag = "reservations",
    security(("bearer" = [])),
    request_body = ReservationRequest,
    responses(
        (status = 201, body = Reservation),
        (status = 200, description = "The order has this reservation already", body = Reservation),
        (status = 400, body = Problem, description = "VALIDATION_FAILED, MALFORMED_BODY, PRODUCT_NOT_FOUND, \
            INSUFFICIENT_STOCK with shortages[{productId, requested, available}]"),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN, INSUFFICIENT_SCOPE", body = Problem),
        (status = 409, body = Problem, description = "RESERVATION_RELEASED, RESERVATION_COMMITTED, CONFLICT: the \
            reservation has different items"),
    )
)]
pub(super) async fn create_reservation(
    State(app): State<AppState>,
    _service: ServiceWith<scope::ProductsReserve>,
    Json(body): Json<CreateReservationRequest>,
) -> Result<(StatusCode, Json<Reservation>), ApiError> {
    let ReservationRequest { order_id, items } = validate(body)?;
    record_order_id(order_id);
    app.faults.simulate_row_lock().await;
    let (reservation, created) = app.inventory.reserve(order_id, &items).await?;
    Ok((if created { StatusCode::CREATED } else { StatusCode::OK }, Json(reservation)))
}

fn validate(body: CreateReservationRequest) -> Result<ReservationRequest, ApiError> {
    let mut checks = Validator::new();
    let order_id = checks.required("orderId", body.order_id);
    let items = checks.required("items", body.items).and_then(|items| lines(&mut checks, items));
    checks.finish(order_id.zip(items).map(|(order_id, items)| ReservationRequest { order_id, items }))
}

fn lines(checks: &mut Validator, items: Vec<Item>) -> Option<Vec<ReservationLine>> {
    if items.is_empty() || items.len() > MAX_ORDER_LINES {
        checks.fail("items", format!("must have 1 to {MAX_ORDER_LINES} lines"));
        return None;
    }
    let mut lines = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let product_id = checks.required(format!("items[{index}].productId"), item.product_id);
        let quantity = checks.integer(format!("items[{index}].quantity"), item.quantity, 1..=MAX_QUANTITY);
        lines.extend(product_id.zip(quantity).map(|(product_id, quantity)| ReservationLine { product_id, quantity }));
    }
    let lines = merge_lines(&lines);
    if lines.iter().any(|line| line.quantity > MAX_QUANTITY) {
        checks.fail("items", format!("must have a quantity of at most {MAX_QUANTITY} per product"));
    }
    Some(lines)
}
