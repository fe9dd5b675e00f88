//! `GET /api/payments/order/{orderId}`

use axum::extract::State;
use common::auth::{Scoped, scope};
use common::http::{ApiError, Json, Path};
use common::telemetry::about_order;
use contracts::{OrderId, Problem};

use super::view::PaymentView;
use crate::app::AppState;
use crate::error::Error;

/// The payments of an order, oldest first.
#[utoipa::path(
    get,
    path = "/api/payments/order/{order_id}",
    tag = "payments",
    security(("bearer" = [])),
    params(("order_id" = OrderId, Path)),
    responses(
        (status = 200, body = Vec<PaymentView>),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "INSUFFICIENT_SCOPE: a service without payments:read", body = Problem),
        (status = 404, description = "ORDER_NOT_FOUND, also for another person's", body = Problem),
        (status = 503, description = "SERVICE_UNAVAILABLE: whose order it is cannot be told now", body = Problem),
    )
)]
pub(super) async fn list_order_payments(
    State(app): State<AppState>,
    caller: Scoped<scope::PaymentsRead>,
    Path(id): Path<OrderId>,
) -> Result<Json<Vec<PaymentView>>, ApiError> {
    about_order(id);
    let caller = caller.into_inner();
    let account = app.till.ledger().account(id).await.map_err(Error::from)?;
    let owner = account.as_ref().and_then(|account| account.order.terms.as_ref()).map(|terms| terms.user_id);
    match owner {
        Some(owner) if caller.may_act_for(owner) => {}
        Some(_) => return Err(Error::OrderNotFound.into()),
        // No payment was ever begun: whose it is, and whether it is, knows the order service.
        None => {
            app.orders.find_for(id, &caller).await?;
        }
    }
    let payments = account.map(|account| account.payments).unwrap_or_default();
    Ok(Json(payments.into_iter().map(PaymentView::from).collect()))
}
