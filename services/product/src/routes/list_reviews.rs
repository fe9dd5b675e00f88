//! `GET /api/products/{id}/reviews`

use axum::extract::State;
use common::http::OptionalCaller;
use common::http::{ApiError, Json, Path, Query};
use contracts::{Problem, ProductId};

use super::pagination::PageQuery;
use crate::domain::{Page, Review};
use crate::state::AppState;

/// Returns a page of a product's reviews, newest first.
#[utoipa::path(
    get,
    path = "/api/products/{id}/reviews",
    tag = "reviews",
    params(("id" = ProductId, Path), PageQuery),
    responses(
        (status = 200, body = Page<Review>),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 404, description = "PRODUCT_NOT_FOUND", body = Problem),
    )
)]
pub(super) async fn list_reviews(
    State(app): State<AppState>,
    OptionalCaller(caller): OptionalCaller,
    Path(id): Path<ProductId>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Review>>, ApiError> {
    let is_admin = caller.is_some_and(|caller| caller.is_admin());
    Ok(Json(app.catalog.list_reviews(id, query.validate()?, is_admin).await?))
}
