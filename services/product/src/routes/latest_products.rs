//! `GET /api/products/latest`

use axum::extract::State;
use common::http::{ApiError, Checks, Json, Query};
use contracts::Problem;
use contracts::calls::Product;
use serde::Deserialize;

use super::paging;
use crate::app::AppState;
use crate::domain::{Listing, Page, Shelf};

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// From 0.
    #[param(minimum = 0, default = 0)]
    page: Option<i64>,
    #[param(minimum = 1, maximum = 100, default = 20)]
    size: Option<i64>,
}

/// The newest products that are in stock, the newest first.
#[utoipa::path(
    get,
    path = "/api/products/latest",
    tag = "products",
    params(Params),
    responses(
        (status = 200, body = Page<Product>),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
    )
)]
pub(super) async fn latest_products(
    State(app): State<AppState>,
    Query(params): Query<Params>,
) -> Result<Json<Page<Product>>, ApiError> {
    let mut checks = Checks::new();
    let page = paging::page(&mut checks, params.page, params.size);
    let page = checks.finish(page)?;
    let shelf = Shelf { in_stock: true, ..Shelf::default() };
    Ok(Json(app.shop.list(&shelf, Listing::Latest, page).await?))
}
