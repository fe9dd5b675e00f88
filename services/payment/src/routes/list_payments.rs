//! `GET /api/payments`

use axum::extract::State;
use common::http::AdminOnly;
use common::http::pagination::{self, PagePosition, PageRequest};
use common::http::{ApiError, Json, Query, Validator};
use contracts::api::{PaymentMethod, PaymentStatus};
use contracts::{OrderId, PaymentId, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::response::PaymentResponse;
use crate::repository::PaymentFilter;
use crate::state::AppState;

/// Query of a list of payments.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListPaymentsQuery {
    /// Page number, starting at 1.
    #[param(minimum = 1, default = 1)]
    page: Option<i64>,
    #[param(minimum = 1, maximum = 100, default = 20)]
    per_page: Option<i64>,
    /// Last payment of the page before, instead of a page number. Such pages cost the same at any depth.
    after: Option<PaymentId>,
    status: Option<PaymentStatus>,
    method: Option<PaymentMethod>,
    order_id: Option<OrderId>,
    /// Earliest time of creation.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<String>,
    /// Time before which the payments were created.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<String>,
}

/// Page of payments, newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = PaymentPage)]
pub(super) struct ListPaymentsResponse {
    payments: Vec<PaymentResponse>,
    #[serde(flatten)]
    position: PagePosition<PaymentId>,
}

/// Lists the payments of all customers, newest first.
#[utoipa::path(
    get,
    path = "/api/payments",
    tag = "payments",
    security(("bearer" = [])),
    params(ListPaymentsQuery),
    responses(
        (status = 200, body = ListPaymentsResponse),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: only an admin", body = Problem),
    )
)]
pub(super) async fn list_payments(
    State(app): State<AppState>,
    _admin: AdminOnly,
    Query(query): Query<ListPaymentsQuery>,
) -> Result<Json<ListPaymentsResponse>, ApiError> {
    let mut checks = Validator::new();
    let page = PageRequest::validate(&mut checks, query.page, query.per_page, query.after);
    let period = pagination::period(&mut checks, query.from.as_deref(), query.to.as_deref());
    let page = checks.finish(page)?;
    let filter = PaymentFilter { status: query.status, method: query.method, order_id: query.order_id, period };
    let found = app.payments.list(filter, page.start, page.per_page).await?;
    Ok(Json(ListPaymentsResponse {
        position: page.position(&found, |payment| payment.id),
        payments: found.rows.into_iter().map(PaymentResponse::from).collect(),
    }))
}
