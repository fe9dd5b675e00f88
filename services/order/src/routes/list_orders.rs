//! `GET /api/orders`

use axum::extract::State;
use common::auth::Caller;
use common::http::pagination::{self, PagePosition, PageRequest};
use common::http::{ApiError, Json, Query, Validator};
use common::http::{Scoped, scope};
use contracts::api::{OrderPaymentStatus, OrderStatus};
use contracts::{ErrorCode, OrderId, Problem, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::response::OrderResponse;
use crate::repository::OrderFilter;
use crate::state::AppState;

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
    /// Text in the order number, the customer's e-mail address or name; case and diacritics are ignored. An order of a
    /// deleted account is found by its number alone. For admins.
    q: Option<String>,
    /// Payment status of the orders; for admins.
    payment_status: Option<OrderPaymentStatus>,
    /// Earliest time of placement; for admins.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<String>,
    /// Time before which the orders were placed; for admins.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<String>,
    /// Last order of the page before, instead of a page number. Such pages cost the same at any depth. For admins.
    after: Option<OrderId>,
}

impl ListOrdersQuery {
    /// Returns whether a parameter is given that is for admins.
    const fn is_restricted(&self) -> bool {
        self.after.is_some()
            || self.q.is_some()
            || self.payment_status.is_some()
            || self.from.is_some()
            || self.to.is_some()
    }
}

/// Page of orders, newest first. Admins get `next`, and no `total`, `page` and `pages` where they request it by `after`.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderPage)]
pub(super) struct ListOrdersResponse {
    orders: Vec<OrderResponse>,
    #[serde(flatten)]
    position: PagePosition<OrderId>,
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
        (status = 403, description = "INSUFFICIENT_SCOPE; FORBIDDEN: a parameter for admins", body = Problem),
    )
)]
pub(super) async fn list_orders(
    State(app): State<AppState>,
    caller: Scoped<scope::OrdersRead>,
    Query(query): Query<ListOrdersQuery>,
) -> Result<Json<ListOrdersResponse>, ApiError> {
    let caller = caller.into_inner();
    if query.is_restricted() && !caller.is_admin() {
        return Err(ApiError::new(ErrorCode::Forbidden, "Access denied"));
    }
    let mut checks = Validator::new();
    let page = PageRequest::validate(&mut checks, query.page, query.per_page, query.after);
    let user_id = owner_filter(&mut checks, &caller, query.user_id.as_deref())?;
    let period = pagination::period(&mut checks, query.from.as_deref(), query.to.as_deref());
    let page = checks.finish(page)?;
    let search = query.q.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let filter = OrderFilter { user_id, status: query.status, payment_status: query.payment_status, search, period };
    let found = app.orders.list(&filter, page.start, page.per_page).await?;
    let position = page.position(&found, |order| order.id);
    let response = |order| OrderResponse::new(order, app.payment_deadline);
    Ok(Json(ListOrdersResponse {
        position: if caller.is_admin() { position } else { position.without_next() },
        orders: found.rows.into_iter().map(response).collect::<Result<_, _>>()?,
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
