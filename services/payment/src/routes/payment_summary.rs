//! `GET /api/payments/summary`

use axum::extract::State;
use common::http::AdminOnly;
use common::http::pagination;
use common::http::{ApiError, Json, Query, Validator};
use contracts::{Money, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::repository::Totals;
use crate::state::AppState;

/// Query of the totals.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PaymentSummaryQuery {
    /// Earliest time of creation.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<String>,
    /// Time before which the payments and refunds were created.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<String>,
}

/// Totals of the payments and refunds created in a period, in the shop's currency.
#[derive(Serialize, ToSchema)]
#[schema(as = PaymentSummary)]
pub(super) struct PaymentSummaryResponse {
    /// Captured amount of the payments.
    captured: Money,
    /// Amount of the succeeded refunds.
    refunded: Money,
    /// Number of pending and processing payments.
    open: i64,
    /// Number of failed payments.
    failed: i64,
    /// Amount of the refunds that wait for an admin: they failed and are still due, or are to be paid manually.
    awaiting: Money,
}

/// Returns the totals of the payments and refunds created in a period; without bounds, of all.
#[utoipa::path(
    get,
    path = "/api/payments/summary",
    tag = "payments",
    security(("bearer" = [])),
    params(PaymentSummaryQuery),
    responses(
        (status = 200, body = PaymentSummaryResponse),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: only an admin", body = Problem),
    )
)]
pub(super) async fn payment_summary(
    State(app): State<AppState>,
    _admin: AdminOnly,
    Query(query): Query<PaymentSummaryQuery>,
) -> Result<Json<PaymentSummaryResponse>, ApiError> {
    let mut checks = Validator::new();
    let period = pagination::period(&mut checks, query.from.as_deref(), query.to.as_deref());
    checks.finish(Some(()))?;
    let Totals { captured, refunded, open, failed, awaiting } = app.payments.totals(period).await?;
    Ok(Json(PaymentSummaryResponse { captured, refunded, open, failed, awaiting }))
}
