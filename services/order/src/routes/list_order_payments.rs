//! `GET /api/orders/{id}/payments`

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::response::Response;
use common::auth::{Scoped, scope};
use common::client::Answer;
use common::http::idempotent::IDEMPOTENCY_REPLAYED;
use common::http::{ApiError, Path};
use common::telemetry::about_order;
use contracts::{OrderId, Problem};

use super::access;
use crate::app::AppState;
use crate::error::Error;

/// The payments of an order: what the payment service answers is passed on.
#[utoipa::path(
    get,
    path = "/api/orders/{id}/payments",
    tag = "orders",
    security(("bearer" = [])),
    params(("id" = OrderId, Path)),
    responses(
        (status = 200, description = "What GET /api/payments/order/{order_id} answers", body = Vec<Object>),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "INSUFFICIENT_SCOPE", body = Problem),
        (status = 404, description = "ORDER_NOT_FOUND, also for another person's", body = Problem),
        (status = 503, description = "SERVICE_UNAVAILABLE, with Retry-After", body = Problem),
    )
)]
pub(super) async fn list_order_payments(
    State(app): State<AppState>,
    caller: Scoped<scope::PaymentsRead>,
    Path(id): Path<OrderId>,
) -> Result<Response, ApiError> {
    let caller = caller.into_inner();
    about_order(id);
    access::visible(app.book.find(id).await?, &caller).map_err(Error::from)?;
    passed_on(&app.payments.of_order(&caller.bearer(), id).await?)
}

/// Another service's answer as our own.
pub(super) fn passed_on(answer: &Answer) -> Result<Response, ApiError> {
    let mut response = Response::builder().status(answer.status());
    for name in [CONTENT_TYPE, RETRY_AFTER, IDEMPOTENCY_REPLAYED] {
        if let Some(value) = answer.header(name.as_str()) {
            response = response.header(name, value);
        }
    }
    response.body(Body::from(answer.bytes().clone())).map_err(ApiError::internal)
}
