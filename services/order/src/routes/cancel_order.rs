//! `POST /api/orders/{id}/cancel`

use axum::extract::State;
use common::http::{ApiError, Json, OptionalJson, Path, Validator};
use common::http::{UserOr, scope};
use common::telemetry::record_order_id;
use contracts::{OrderId, Problem};
use serde::Deserialize;
use utoipa::ToSchema;

use super::request;
use super::response::OrderResponse;
use crate::state::AppState;

const MAX_REASON_CHARS: usize = 500;

/// Body of a cancellation.
#[derive(Deserialize, ToSchema)]
#[schema(as = Cancellation)]
pub(super) struct CancelOrderRequest {
    /// Cancellation reason, appended to the notes of the order.
    #[schema(max_length = 500)]
    reason: Option<String>,
}

/// Cancels an order, releases its stock and refunds its payments.
#[utoipa::path(
    post,
    path = "/api/orders/{id}/cancel",
    tag = "orders",
    security(("bearer" = [])),
    params(("id" = OrderId, Path)),
    request_body = Option<CancelOrderRequest>,
    responses(
        (status = 200, body = OrderResponse),
        (status = 400, description = "NOT_CANCELLABLE: cancelled already, or fulfilment too advanced; MALFORMED_BODY", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "INSUFFICIENT_SCOPE", body = Problem),
        (status = 404, description = "ORDER_NOT_FOUND, also for an order of another customer", body = Problem),
        (status = 422, description = "VALIDATION_FAILED", body = Problem),
    )
)]
pub(super) async fn cancel_order(
    State(app): State<AppState>,
    caller: UserOr<scope::OrdersManage>,
    Path(id): Path<OrderId>,
    body: Result<OptionalJson<CancelOrderRequest>, ApiError>,
) -> Result<Json<OrderResponse>, ApiError> {
    let caller = caller.into_inner();
    record_order_id(id);
    let OptionalJson(body) = body.map_err(request::unprocessable)?;
    let mut checks = Validator::unprocessable();
    let reason = checks.optional_text("reason", body.and_then(|body| body.reason), MAX_REASON_CHARS);
    let reason = checks.finish(Some(reason))?;
    let order = app.orders.cancel(&caller, id, reason).await?;
    Ok(Json(OrderResponse::for_caller(&caller, order, app.payment_deadline)?))
}
