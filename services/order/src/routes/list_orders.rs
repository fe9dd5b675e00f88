//! `GET /api/orders`

use axum::extract::State;
use common::auth::Caller;
use common::http::{ApiError, Json, Query, Validator};
use common::http::{Scoped, scope};
use contracts::api::OrderStatus;
use contracts::{ErrorCode, Problem, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::response::OrderResponse;
use crate::repository::OrderFilter;
use crate::state::AppState;

const DEFAULT_PER_PAGE: i64 = 20;
const MAX_PER_PAGE: i64 = 100;

/// Query of a list of orders.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListOrdersQuery {
    /// Page number, starting at 1.
    #[param(minimum = 1, default = 1)]
    page: Option<i64>,
    #[param(minimum = 1, maximum = 100, default = 20)]
    per_page: Option<i64>,
    status: Option<OrderStatus>,
    /// Customer of the orders; ignored unless the caller is an admin or a service.
    user_id: Option<String>,
}

/// Page of orders, newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderPage)]
pub(super) struct ListOrdersResponse {
    orders: Vec<OrderResponse>,
    /// Number of orders on all pages.
    total: i64,
    page: i64,
    /// Number of pages.
    pages: i64,
    per_page: i64,
}

/// Lists the caller's orders, or all orders for an admin or a service, newest first.
#[utoipa::path(
    get,
    path = "/api/orders",
    tag = "orders",
    security(("bearer" = [])),
    params(ListOrdersQuery),
    responses(
        (status = 200, body = ListOrdersResponse),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "INSUFFICIENT_SCOPE", body = Problem),
    )
)]
pub(super) async fn list_orders(
    State(app): State<AppState>,
    caller: Scoped<scope::OrdersRead>,
    Query(query): Query<ListOrdersQuery>,
) -> Result<Json<ListOrdersResponse>, ApiError> {
    let caller = caller.into_inner();
    let mut checks = Validator::new();
    let page = checks.integer("page", Some(query.page.unwrap_or(1)), 1..=i64::MAX);
    let per_page = checks.integer("per_page", Some(query.per_page.unwrap_or(DEFAULT_PER_PAGE)), 1..=MAX_PER_PAGE);
    let user_id = owner_filter(&mut checks, &caller, query.user_id.as_deref())?;
    let (page, per_page) = checks.finish(page.zip(per_page))?;
    let filter = OrderFilter { user_id, status: query.status };
    let found = app.orders.list(filter, (page - 1).saturating_mul(per_page), per_page).await?;
    let response = |order| OrderResponse::new(order, app.payment_deadline);
    Ok(Json(ListOrdersResponse {
        orders: found.orders.into_iter().map(response).collect::<Result<_, _>>()?,
        total: found.total,
        page,
        pages: found.total / per_page + i64::from(found.total % per_page > 0),
        per_page,
    }))
}

/// Returns the customer whose orders the caller may list; `None` for all customers.
fn owner_filter(checks: &mut Validator, caller: &Caller, requested: Option<&str>) -> Result<Option<UserId>, ApiError> {
    if !caller.is_privileged() {
        let no_customer = || ApiError::new(ErrorCode::Forbidden, "The caller is not a customer");
        return caller.user_id.map(Some).ok_or_else(no_customer);
    }
    let requested = requested.map(str::parse);
    if let Some(Err(_)) = requested {
        checks.fail("user_id", "must be a UUID");
    }
    Ok(requested.and_then(Result::ok))
}
