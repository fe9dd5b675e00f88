//! `GET /api/products/{id}/reviews`

use axum::extract::State;
use common::auth::OptionalCaller;
use common::http::{ApiError, Json, Path, Query};
use contracts::{Problem, ProductId};

use super::paging::PageParams;
use crate::app::AppState;
use crate::domain::{Page, Review};
use crate::error::Error;

/// A page of a product's reviews, the newest first.
#[utoipa::path(
    get,
    path = "/api/products/{id}/reviews",
    tag = "reviews",
    params(("id" = ProductId, Path), PageParams),
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
    Query(params): Query<PageParams>,
) -> Result<Json<Page<Review>>, ApiError> {
    let page = params.check()?;
    let sees_all = caller.is_some_and(|caller| caller.is_admin());
    let card = app.shop.card(id).await?;
    card.filter(|card| card.is_active() || sees_all).ok_or(Error::ProductNotFound)?;
    Ok(Json(app.shop.reviews(id, page).await?))
}
