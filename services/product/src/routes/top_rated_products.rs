//! `GET /api/products/top-rated`

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

/// The best rated products, the best first, and of those alike the ones with more reviews.
#[utoipa::path(
    get,
    path = "/api/products/top-rated",
    tag = "products",
    params(Params),
    responses(
        (status = 200, body = Page<Product>),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
    )
)]
pub(super) async fn top_rated_products(
    State(app): State<AppState>,
    Query(params): Query<Params>,
) -> Result<Json<Page<Product>>, ApiError> {
    let mut checks = Checks::new();
    let page = paging::page(&mut checks, params.page, params.size);
    let page = checks.finish(page)?;
    let shelf = Shelf::default();
    Ok(Json(app.shop.list(&shelf, Listing::TopRated, page).await?))
}
