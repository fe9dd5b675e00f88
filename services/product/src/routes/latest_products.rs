//! `GET /api/products/latest`

use axum::extract::State;
use common::http::{ApiError, Json, Query};
use contracts::Problem;
use contracts::calls::Product;

use super::paging::PageParams;
use crate::app::AppState;
use crate::domain::{Listing, Page, Shelf};

/// The newest products that are in stock, the newest first.
#[utoipa::path(
    get,
    path = "/api/products/latest",
    tag = "products",
    params(PageParams),
    responses(
        (status = 200, body = Page<Product>),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
    )
)]
pub(super) async fn latest_products(
    State(app): State<AppState>,
    Query(params): Query<PageParams>,
) -> Result<Json<Page<Product>>, ApiError> {
    let page = params.check()?;
    let shelf = Shelf { in_stock: true, ..Shelf::default() };
    Ok(Json(app.shop.list(&shelf, Listing::Latest, page).await?))
}
