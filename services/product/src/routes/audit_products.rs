//! `GET /ops/audit`

use axum::extract::State;
use common::http::ops::AuditPage;
use common::http::{AdminOr, scope};
use common::http::{ApiError, Json, Query};
use contracts::audit::ProductAudit;
use contracts::{Problem, ProductId};

use crate::state::AppState;

/// Returns the stock balances of products by id, for an audit against orders.
#[utoipa::path(
    get,
    path = "/ops/audit",
    tag = "ops",
    security(("bearer" = [])),
    params(AuditPage),
    responses(
        (status = 200, body = [ProductAudit]),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN, INSUFFICIENT_SCOPE", body = Problem),
    )
)]
pub(super) async fn audit_products(
    State(app): State<AppState>,
    _caller: AdminOr<scope::OpsRead>,
    Query(page): Query<AuditPage>,
) -> Result<Json<Vec<ProductAudit>>, ApiError> {
    let (after, limit) = page.read::<ProductId>()?;
    Ok(Json(app.inventory.audit_page(after, limit).await?))
}
