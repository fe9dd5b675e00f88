//! `GET /api/products`

use axum::extract::State;
use axum::http::request::Parts;
use common::http::{ApiError, Json, Query, Validator};
use contracts::Problem;
use contracts::api::Product;

use super::pagination::{PageQuery, SortQuery};
use super::product_filter::{ProductFilterQuery, authorize};
use crate::domain::{Page, SortOrder};
use crate::state::AppState;

/// Returns a page of products that match all conditions. Hidden products and the filter by stock are for admins.
#[utoipa::path(
    get,
    path = "/api/products",
    tag = "products",
    params(ProductFilterQuery, PageQuery, SortQuery),
    responses(
        (status = 200, body = Page<Product>),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED: a filter for admins", body = Problem),
        (status = 403, description = "FORBIDDEN: a filter for admins", body = Problem),
    )
)]
pub(super) async fn list_products(
    State(app): State<AppState>,
    Query(filter): Query<ProductFilterQuery>,
    Query(page): Query<PageQuery>,
    Query(sort): Query<SortQuery>,
    mut parts: Parts,
) -> Result<Json<Page<Product>>, ApiError> {
    let mut checks = Validator::new();
    let filter = filter.validate(&mut checks);
    let page = page.check(&mut checks);
    let sort = sort.check(&mut checks);
    let (page, sort) = checks.finish(page.zip(sort))?;
    authorize(&app, &filter, &mut parts).await?;
    Ok(Json(app.catalog.list(&filter, SortOrder::By(sort), page).await?))
}
