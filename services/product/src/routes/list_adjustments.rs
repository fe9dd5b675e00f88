//! `GET /api/products/{id}/stock/adjustments`

use axum::extract::State;
use common::http::AdminOnly;
use common::http::{ApiError, Json, Path, Query};
use contracts::{Problem, ProductId};

use super::pagination::PageQuery;
use crate::domain::{Page, StockAdjustment};
use crate::state::AppState;

/// Returns a page of a product's manual stock adjustments, newest first.
#[utoipa::path(
    get,
    path = "/api/products/{id}/stock/adjustments",
    tag = "stock",
    security(("bearer" = [])),
    params(("id" = ProductId, Path), PageQuery),
    responses(
        (status = 200, body = Page<StockAdjustment>),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN", body = Problem),
        (status = 404, description = "PRODUCT_NOT_FOUND", body = Problem),
    )
)]
pub(super) async fn list_adjustments(
    State(app): State<AppState>,
    _admin: AdminOnly,
    Path(id): Path<ProductId>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<StockAdjustment>>, ApiError> {
    Ok(Json(app.inventory.adjustments(id, query.validate()?).await?))
}
