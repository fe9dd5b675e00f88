//! `PUT /api/orders/{id}`, and `PATCH`, which is the same

use axum::extract::State;
use common::auth::{Scoped, scope};
use common::http::{ApiError, Checks, Json, Json422, Path, cleared};
use common::telemetry::about_order;
use contracts::calls::OrderStatus;
use contracts::limits::MAX_METADATA_BYTES;
use contracts::{OrderId, Problem};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::access;
use super::input::{self, AddressBody};
use super::view::OrderView;
use crate::app::AppState;
use crate::domain::Change;

#[derive(Deserialize, ToSchema)]
#[schema(as = OrderChange)]
pub(super) struct Body {
    /// Changed by admins and services alone; `cancelled` does what cancelling does.
    status: Option<OrderStatus>,
    /// The parts that change; what is left out stays.
    shipping_address: Option<AddressBody>,
    /// `null` clears them.
    #[serde(default, deserialize_with = "cleared")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    notes: Option<Option<String>>,
    /// `null` clears them.
    #[serde(default, deserialize_with = "cleared")]
    #[schema(value_type = Option<Object>)]
    metadata: Option<Option<Box<RawValue>>>,
}

/// Changes an order; what is left out stays.
#[utoipa::path(
    method(put, patch),
    path = "/api/orders/{id}",
    tag = "orders",
    security(("bearer" = [])),
    params(("id" = OrderId, Path)),
    request_body = Body,
    responses(
        (status = 200, body = OrderView),
        (status = 400, description = "INVALID_TRANSITION, ORDER_NOT_CHANGEABLE, MALFORMED_BODY", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: an owner may not change the status; INSUFFICIENT_SCOPE", body = Problem),
        (status = 404, description = "ORDER_NOT_FOUND, also for another person's", body = Problem),
        (status = 422, description = "VALIDATION_FAILED", body = Problem),
    )
)]
pub(super) async fn update_order(
    State(app): State<AppState>,
    caller: Scoped<scope::OrdersManage>,
    Path(id): Path<OrderId>,
    Json422(body): Json422<Body>,
) -> Result<Json<OrderView>, ApiError> {
    let caller = caller.into_inner();
    about_order(id);
    let change = check(body)?;
    let update = app.book.change(id, |order, now| {
        access::check(order, &caller)?;
        order.update(access::actor(&caller), change, now)
    });
    Ok(Json(OrderView::new(update.await?, app.payment_deadline)?))
}

fn check(body: Body) -> Result<Change, ApiError> {
    let mut checks = Checks::unprocessable();
    let shipping_address =
        body.shipping_address.map(|body| input::address_change(&mut checks, "shipping_address", body));
    let notes = body.notes.map(|notes| input::notes(&mut checks, notes));
    let metadata = body.metadata.map(|sent| checks.json_object("metadata", sent, MAX_METADATA_BYTES));
    checks.finish(Some(Change { status: body.status, shipping_address, notes, metadata }))
}
