//! `GET /api/refunds`

use axum::extract::State;
use common::http::AdminOnly;
use common::http::pagination::{self, PagePosition, PageRequest};
use common::http::{ApiError, Json, Query, Validator};
use contracts::api::{RefundCause, RefundStatus};
use contracts::{Problem, RefundId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::response::RefundOfPaymentResponse;
use crate::repository::RefundFilter;
use crate::state::AppState;

/// Query of a list of refunds.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListRefundsQuery {
    /// Page number, starting at 1.
    #[param(minimum = 1, default = 1)]
    page: Option<i64>,
    #[param(minimum = 1, maximum = 100, default = 20)]
    per_page: Option<i64>,
    /// Last refund of the page before, instead of a page number. Such pages cost the same at any depth.
    after: Option<RefundId>,
    status: Option<RefundStatus>,
    cause: Option<RefundCause>,
    /// Earliest time of creation.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<String>,
    /// Time before which the refunds were created.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<String>,
}

/// Page of refunds, newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = RefundPage)]
pub(super) struct ListRefundsResponse {
    refunds: Vec<RefundOfPaymentResponse>,
    #[serde(flatten)]
    position: PagePosition<RefundId>,
}

/// Lists the refunds of all payments, newest first.
#[utoipa::path(
    get,
    path = "/api/refunds",
    tag = "refunds",
    security(("bearer" = [])),
    params(ListRefundsQuery),
    responses(
        (status = 200, body = ListRefundsResponse),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: only an admin", body = Problem),
    )
)]
pub(super) async fn list_refunds(
    State(app): State<AppState>,
    _admin: AdminOnly,
    Query(query): Query<ListRefundsQuery>,
) -> Result<Json<ListRefundsResponse>, ApiError> {
    let mut checks = Validator::new();
    let page = PageRequest::validate(&mut checks, query.page, query.per_page, query.after);
    let period = pagination::period(&mut checks, query.from.as_deref(), query.to.as_deref());
    let page = checks.finish(page)?;
    let filter = RefundFilter { status: query.status, cause: query.cause, period };
    let found = app.payments.list_refunds(filter, page.start, page.per_page).await?;
    Ok(Json(ListRefundsResponse {
        position: page.position(&found, |found| found.refund.id),
        refunds: found.rows.into_iter().map(RefundOfPaymentResponse::from).collect(),
    }))
}
