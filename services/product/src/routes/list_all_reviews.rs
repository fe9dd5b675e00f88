//! `GET /api/reviews`

use axum::extract::State;
use common::http::AdminOnly;
use common::http::{ApiError, Json, Query, Validator};
use contracts::{Problem, ProductId};
use serde::Deserialize;

use super::pagination::PageQuery;
use crate::domain::{Page, Review, ReviewFilter};
use crate::state::AppState;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct ListAllReviewsQuery {
    #[param(minimum = 1, maximum = 5)]
    rating: Option<i64>,
    product_id: Option<ProductId>,
}

/// Returns a page of the reviews of all products, newest first.
#[utoipa::path(
    get,
    path = "/api/reviews",
    tag = "reviews",
    security(("bearer" = [])),
    params(ListAllReviewsQuery, PageQuery),
    responses(
        (status = 200, body = Page<Review>),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN", body = Problem),
    )
)]
pub(super) async fn list_all_reviews(
    State(app): State<AppState>,
    _admin: AdminOnly,
    Query(filter): Query<ListAllReviewsQuery>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Review>>, ApiError> {
    let mut checks = Validator::new();
    let rating = filter.rating.and_then(|rating| checks.integer("rating", Some(rating), 1..=5));
    let page = page.check(&mut checks);
    let page = checks.finish(page)?;
    let filter = ReviewFilter { product: filter.product_id, author: None, rating };
    Ok(Json(app.catalog.list_all_reviews(&filter, page).await?))
}
