//! `POST /api/products/{id}/reviews`

use axum::extract::State;
use axum::http::StatusCode;
use common::http::SignedInUser;
use common::http::{ApiError, Json, Path, Validator};
use contracts::{Problem, ProductId, UserId};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::domain::{NewReview, Review};
use crate::state::AppState;

const MAX_TITLE_CHARS: usize = 200;
const MAX_COMMENT_CHARS: usize = 2000;

#[derive(Deserialize, ToSchema)]
#[schema(as = NewReview)]
pub(super) struct CreateReviewRequest {
    #[schema(required, minimum = 1, maximum = 5)]
    rating: Option<i64>,
    #[schema(max_length = 200)]
    title: Option<String>,
    #[schema(max_length = 2000)]
    comment: Option<String>,
}

/// Adds the caller's review of a product, at most one per product.
#[utoipa::path(
    post,
    path = "/api/products/{id}/reviews",
    tag = "reviews",
    security(("bearer" = [])),
    params(("id" = ProductId, Path)),
    request_body = CreateReviewRequest,
    responses(
        (status = 201, body = Review),
        (status = 400, description = "VALIDATION_FAILED, MALFORMED_BODY", body = Problem),
        (status = 401, description = "UNAUTHENTICATED, also for a deleted account", body = Problem),
        (status = 403, description = "FORBIDDEN: a service; EMAIL_NOT_VERIFIED", body = Problem),
        (status = 404, description = "PRODUCT_NOT_FOUND", body = Problem),
        (status = 409, description = "REVIEW_EXISTS", body = Problem),
    )
)]
pub(super) async fn create_review(
    State(app): State<AppState>,
    SignedInUser(caller, user): SignedInUser,
    Path(id): Path<ProductId>,
    Json(body): Json<CreateReviewRequest>,
) -> Result<(StatusCode, Json<Review>), ApiError> {
    if app.require_verified_email {
        caller.require_verified_email()?;
    }
    let review = app.catalog.add_review(id, &validate(user, body)?).await?;
    Ok((StatusCode::CREATED, Json(review)))
}

fn validate(user_id: UserId, body: CreateReviewRequest) -> Result<NewReview, ApiError> {
    let mut checks = Validator::new();
    let rating = checks.integer("rating", body.rating, 1..=5);
    let title = checks.optional_text("title", body.title, MAX_TITLE_CHARS);
    let comment = checks.optional_multiline_text("comment", body.comment, MAX_COMMENT_CHARS);
    checks.finish(rating.map(|rating| NewReview { user_id, rating, title, comment }))
}
