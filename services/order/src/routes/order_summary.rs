//! `GET /api/orders/summary`

use axum::extract::State;
use common::http::pagination;
use common::http::{AdminOnly, ApiError, Json, Query, Validator};
use contracts::{Money, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::repository::OrderSummary;
use crate::state::AppState;

/// Query of the summary.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct OrderSummaryQuery {
    /// Start of the period, included.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<String>,
    /// End of the period, not included.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<String>,
}

/// Summary of the orders of a period. All numbers are of the orders placed in it, except `shipped` and `delivered`. Amounts
/// are exact, in the shop's currency.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderSummary)]
pub(super) struct OrderSummaryResponse {
    /// Number of orders placed in the period.
    placed: i64,
    /// Number of orders placed in the period that were confirmed and are not cancelled: confirmed, processing, shipped or
    /// delivered now.
    confirmed: i64,
    /// Number of orders shipped in the period, whenever they were placed.
    shipped: i64,
    /// Number of orders delivered in the period, whenever they were placed.
    delivered: i64,
    /// Number of orders placed in the period that are cancelled now.
    cancelled: i64,
    /// Captured amount that counts toward the totals of the orders placed in the period. Neither refunds nor cancelled
    /// orders are subtracted; captures that are late, doubled or of another amount do not count.
    revenue: Money,
    /// Amount of the succeeded refunds of the captures in `revenue`, whenever they were made.
    refunded: Money,
    /// Number of orders placed in the period that are neither delivered nor cancelled now.
    open: i64,
}

/// Returns the summary of the orders of a period; without bounds, of all.
#[utoipa::path(
    get,
    path = "/api/orders/summary",
    tag = "orders",
    security(("bearer" = [])),
    params(OrderSummaryQuery),
    responses(
        (status = 200, body = OrderSummaryResponse),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: only an admin", body = Problem),
    )
)]
pub(super) async fn order_summary(
    State(app): State<AppState>,
    _admin: AdminOnly,
    Query(query): Query<OrderSummaryQuery>,
) -> Result<Json<OrderSummaryResponse>, ApiError> {
    let mut checks = Validator::new();
    let period = pagination::period(&mut checks, query.from.as_deref(), query.to.as_deref());
    checks.finish(Some(()))?;
    let OrderSummary { placed, confirmed, shipped, delivered, cancelled, revenue, refunded, open } =
        app.orders.summary(&app.currency, period).await?;
    Ok(Json(OrderSummaryResponse { placed, confirmed, shipped, delivered, cancelled, revenue, refunded, open }))
}
