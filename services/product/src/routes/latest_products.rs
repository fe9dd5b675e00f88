//! `GET /api/products/latest`

use axum::extract::State;
use common::http::{ApiError, Json, Query};
use contracts::Problem;
use contracts::api::Product;

use super::pagination::PageQuery;
use crate::domain::{Page, ProductFilter, SortOrder};
use crate::state::AppState;

/// Returns the newest products in stock, newest first.
#[utoipa::path(
    get,
    path = "/api/products/latest",
    tag = "products",
    params(PageQuery),
    responses(
        (status = 200, body = Page<Product>),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
    )
)]
pub(super) async fn latest_products(
    State(app): State<AppState>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Product>>, ApiError> {
    let page = query.validate()?;
    let filter = ProductFilter { in_stock: true, ..ProductFilter::default() };
    Ok(Json(app.catalog.list(&filter, SortOrder::Latest, page).await?))
}
