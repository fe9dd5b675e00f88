//! `PUT /api/orders/{id}` and `PATCH /api/orders/{id}`, which behave alike

use axum::extract::State;
use common::http::{ApiError, Json, Json422, Path, Validator, double_option};
use common::http::{Scoped, scope};
use common::telemetry::record_order_id;
use contracts::api::OrderStatus;
use contracts::limits::MAX_METADATA_BYTES;
use contracts::{OrderId, Problem};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::request::{self, AddressRequest};
use super::response::OrderResponse;
use crate::domain::OrderUpdate;
use crate::state::AppState;

/// Changes of an order.
#[derive(Deserialize, ToSchema)]
#[schema(as = OrderChange)]
pub(super) struct UpdateOrderRequest {
    /// New status, accepted from admins and services only; `cancelled` cancels the order.
    status: Option<OrderStatus>,
    /// Changed fields of the address; omitted fields stay unchanged.
    shipping_address: Option<AddressRequest>,
    /// New notes; `null` removes them.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    notes: Option<Option<String>>,
    /// New metadata; `null` removes it.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<Object>)]
    metadata: Option<Option<Box<RawValue>>>,
}

/// Updates an order; omitted fields stay unchanged.
#[utoipa::path(
    method(put, patch),
    path = "/api/orders/{id}",
    tag = "orders",
    security(("bearer" = [])),
    params(("id" = OrderId, Path)),
    request_body = UpdateOrderRequest,
    responses(
        (status = 200, body = OrderResponse),
        (status = 400, description = "INVALID_TRANSITION, ORDER_NOT_CHANGEABLE, MALFORMED_BODY", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: only staff may change the status; INSUFFICIENT_SCOPE", body = Problem),
        (status = 404, description = "ORDER_NOT_FOUND, also for an order of another customer", body = Problem),
        (status = 422, description = "VALIDATION_FAILED", body = Problem),
    )
)]
pub(super) async fn update_order(
    State(app): State<AppState>,
    caller: Scoped<scope::OrdersManage>,
    Path(id): Path<OrderId>,
    Json422(body): Json422<UpdateOrderRequest>,
) -> Result<Json<OrderResponse>, ApiError> {
    let caller = caller.into_inner();
    record_order_id(id);
    let order = app.orders.change(&caller, id, body.into_update()?).await?;
    Ok(Json(OrderResponse::new(order, app.payment_deadline)?))
}

impl UpdateOrderRequest {
    fn into_update(self) -> Result<OrderUpdate, ApiError> {
        let mut checks = Validator::unprocessable();
        let shipping_address =
            self.shipping_address.map(|address| request::address_update(&mut checks, "shipping_address", address));
        let notes = self.notes.map(|notes| request::notes(&mut checks, notes));
        let metadata = self.metadata.map(|sent| checks.json_object("metadata", sent, MAX_METADATA_BYTES));
        checks.finish(Some(OrderUpdate { status: self.status, shipping_address, notes, metadata }))
    }
}
