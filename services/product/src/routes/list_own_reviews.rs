//! `GET /api/reviews/mine`

use axum::extract::State;
use common::http::SignedInUser;
use common::http::{ApiError, Json, Query};
use contracts::Problem;

use super::pagination::PageQuery;
use crate::domain::{Page, Review, ReviewFilter};
use crate::state::AppState;

/// Returns a page of the caller's own reviews, newest first.
#[utoipa::path(
    get,
    path = "/api/reviews/mine",
    tag = "reviews",
    security(("bearer" = [])),
    params(PageQuery),
    responses(
        (status = 200, body = Page<Review>),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: a service", body = Problem),
    )
)]
pub(super) async fn list_own_reviews(
    State(app): State<AppState>,
    SignedInUser(_caller, user): SignedInUser,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Review>>, ApiError> {
    let filter = ReviewFilter { author: Some(user), ..ReviewFilter::default() };
    Ok(Json(app.catalog.list_all_reviews(&filter, query.validate()?).await?))
}
