//! `GET /api/products/top-rated`

use axum::extract::State;
use common::http::{ApiError, Json, Query};
use contracts::Problem;
use contracts::calls::Product;

use super::paging::PageParams;
use crate::app::AppState;
use crate::domain::{Listing, Page, Shelf};

/// The best rated products, the best first, and of those alike the ones with more reviews.
#[utoipa::path(
    get,
    path = "/api/products/top-rated",
    tag = "products",
    params(PageParams),
    responses(
        (status = 200, body = Page<Product>),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
    )
)]
pub(super) async fn top_rated_products(
    State(app): State<AppState>,
    Query(params): Query<PageParams>,
) -> Result<Json<Page<Product>>, ApiError> {
    let page = params.check()?;
    let shelf = Shelf::default();
    Ok(Json(app.shop.list(&shelf, Listing::TopRated, page).await?))
}
