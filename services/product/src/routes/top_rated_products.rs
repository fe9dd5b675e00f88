//! `GET /api/products/top-rated`

use axum::extract::State;
use common::http::{ApiError, Json, Query};
use contracts::Problem;
use contracts::api::Product;

use super::pagination::PageQuery;
use crate::domain::{Page, ProductFilter, SortOrder};
use crate::state::AppState;

/// Returns products by rating, best first. Of equal ratings, products with more reviews come first.
#[utoipa::path(
    get,
    path = "/api/products/top-rated",
    tag = "products",
    params(PageQuery),
    responses(
        (status = 200, body = Page<Product>),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
    )
)]
pub(super) async fn top_rated_products(
    State(app): State<AppState>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Product>>, ApiError> {
    let page = query.validate()?;
    Ok(Json(app.catalog.list(&ProductFilter::default(), SortOrder::TopRated, page).await?))
}
