//! `DELETE /api/products/{id}/reviews/{reviewId}`

use axum::extract::State;
use axum::http::StatusCode;
use common::http::SignedInUser;
use common::http::{ApiError, Path};
use contracts::{Problem, ProductId, ReviewId};

use crate::domain::ReviewActor;
use crate::state::AppState;

/// Deletes a review. The author and admins may do so.
#[utoipa::path(
    delete,
    path = "/api/products/{id}/reviews/{reviewId}",
    tag = "reviews",
    security(("bearer" = [])),
    params(("id" = ProductId, Path), ("reviewId" = ReviewId, Path)),
    responses(
        (status = 204, description = "Deleted"),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: the review has another author", body = Problem),
        (status = 404, description = "REVIEW_NOT_FOUND", body = Problem),
    )
)]
pub(super) async fn delete_review(
    State(app): State<AppState>,
    SignedInUser(caller, user): SignedInUser,
    Path((product, review)): Path<(ProductId, ReviewId)>,
) -> Result<StatusCode, ApiError> {
    let actor = ReviewActor { user_id: user, is_admin: caller.is_admin() };
    app.catalog.remove_review(product, review, actor).await?;
    Ok(StatusCode::NO_CONTENT)
}
