//! `GET /api/orders`

use axum::extract::State;
use common::auth::{Caller, Scoped, scope};
use common::http::{ApiError, Checks, Json, Query};
use contracts::calls::OrderStatus;
use contracts::{ErrorCode, Problem, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::view::OrderView;
use crate::app::AppState;
use crate::store::Filter;

const DEFAULT_PER_PAGE: i64 = 20;
const MAX_PER_PAGE: i64 = 100;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// From 1.
    #[param(minimum = 1, default = 1)]
    page: Option<i64>,
    #[param(minimum = 1, maximum = 100, default = 20)]
    per_page: Option<i64>,
    status: Option<OrderStatus>,
    /// The orders of one person; heeded for admins and services alone.
    user_id: Option<String>,
}

/// Some orders, newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderPage)]
pub(super) struct Answer {
    orders: Vec<OrderView>,
    /// How many there are on all pages.
    total: i64,
    page: i64,
    /// How many pages there are.
    pages: i64,
    per_page: i64,
}

/// One's own orders; all orders for an admin or a service. Newest first.
#[utoipa::path(
    get,
    path = "/api/orders",
    tag = "orders",
    security(("bearer" = [])),
    params(Params),
    responses(
        (status = 200, body = Answer),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "INSUFFICIENT_SCOPE", body = Problem),
    )
)]
pub(super) async fn list_orders(
    State(app): State<AppState>,
    caller: Scoped<scope::OrdersRead>,
    Query(params): Query<Params>,
) -> Result<Json<Answer>, ApiError> {
    let caller = caller.into_inner();
    let mut checks = Checks::new();
    let page = checks.integer("page", Some(params.page.unwrap_or(1)), 1..=i64::MAX);
    let per_page = checks.integer("per_page", Some(params.per_page.unwrap_or(DEFAULT_PER_PAGE)), 1..=MAX_PER_PAGE);
    let user_id = whose(&mut checks, &caller, params.user_id.as_deref())?;
    let (page, per_page) = checks.finish(page.zip(per_page))?;
    let filter = Filter { user_id, status: params.status };
    let found = app.book.store().list(filter, (page - 1).saturating_mul(per_page), per_page).await?;
    let view = |order| OrderView::new(order, app.payment_deadline);
    Ok(Json(Answer {
        orders: found.orders.into_iter().map(view).collect::<Result<_, _>>()?,
        total: found.total,
        page,
        pages: found.total / per_page + i64::from(found.total % per_page > 0),
        per_page,
    }))
}

/// Whose orders are shown: `None` for everybody's.
fn whose(checks: &mut Checks, caller: &Caller, asked: Option<&str>) -> Result<Option<UserId>, ApiError> {
    if !caller.acts_for_all() {
        let nobody = || ApiError::new(ErrorCode::Forbidden, "The caller has no orders");
        return caller.user_id.map(Some).ok_or_else(nobody);
    }
    let asked = asked.map(str::parse);
    if let Some(Err(_)) = asked {
        checks.fail("user_id", "must be a UUID");
    }
    Ok(asked.and_then(Result::ok))
}
