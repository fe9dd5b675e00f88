//! `POST /api/orders/{id}/cancel`

use axum::extract::State;
use common::auth::{Scoped, scope};
use common::http::{ApiError, Checks, Json, OptionalJson, Path};
use common::telemetry::about_order;
use contracts::{OrderId, Problem};
use serde::Deserialize;
use utoipa::ToSchema;

use super::view::OrderView;
use super::{access, input};
use crate::app::AppState;

const REASON_CHARS: usize = 500;

#[derive(Deserialize, ToSchema)]
#[schema(as = Cancellation)]
pub(super) struct Body {
    /// Added to the order's notes.
    #[schema(max_length = 500)]
    reason: Option<String>,
}

/// Cancels an order: its goods go back, and so does what was paid for it.
#[utoipa::path(
    post,
    path = "/api/orders/{id}/cancel",
    tag = "orders",
    security(("bearer" = [])),
    params(("id" = OrderId, Path)),
    request_body = Option<Body>,
    responses(
        (status = 200, body = OrderView),
        (status = 400, description = "NOT_CANCELLABLE: too far on, or cancelled already; MALFORMED_BODY", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "INSUFFICIENT_SCOPE", body = Problem),
        (status = 404, description = "ORDER_NOT_FOUND, also for another person's", body = Problem),
        (status = 422, description = "VALIDATION_FAILED", body = Problem),
    )
)]
pub(super) async fn cancel_order(
    State(app): State<AppState>,
    caller: Scoped<scope::OrdersManage>,
    Path(id): Path<OrderId>,
    body: Result<OptionalJson<Body>, ApiError>,
) -> Result<Json<OrderView>, ApiError> {
    let caller = caller.into_inner();
    about_order(id);
    let OptionalJson(body) = body.map_err(input::unprocessable)?;
    let mut checks = Checks::unprocessable();
    let reason = checks.optional_text("reason", body.and_then(|body| body.reason), REASON_CHARS);
    let reason = checks.finish(Some(reason))?;
    let cancel = app.book.change(id, |order, now| {
        access::check(order, &caller)?;
        order.cancel(access::actor(&caller), reason, now)
    });
    Ok(Json(OrderView::new(cancel.await?, app.payment_deadline)?))
}
