//! `GET /api/orders/{id}/payments`

use axum::extract::State;
use axum::response::Response;
use common::http::{ApiError, Path};
use common::http::{UserOr, scope};
use common::telemetry::record_order_id;
use contracts::{OrderId, Problem};

use super::response::forward_response;
use crate::state::AppState;

/// Lists the payments of an order by forwarding the response of the payment service.
#[utoipa::path(
    get,
    path = "/api/orders/{id}/payments",
    tag = "orders",
    security(("bearer" = [])),
    params(("id" = OrderId, Path)),
    responses(
        (status = 200, description = "Response of GET /api/payments/order/{order_id}", body = Vec<Object>),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "INSUFFICIENT_SCOPE", body = Problem),
        (status = 404, description = "ORDER_NOT_FOUND, also for an order of another customer", body = Problem),
        (status = 503, description = "SERVICE_UNAVAILABLE, with Retry-After", body = Problem),
    )
)]
pub(super) async fn list_order_payments(
    State(app): State<AppState>,
    caller: UserOr<scope::PaymentsRead>,
    Path(id): Path<OrderId>,
) -> Result<Response, ApiError> {
    let caller = caller.into_inner();
    record_order_id(id);
    forward_response(&app.payments.list(&caller, id).await?)
}
