//! `POST /api/users/me/verification`

use axum::extract::State;
use axum::http::StatusCode;
use common::http::{ApiError, SignedInUser};
use contracts::Problem;

use crate::state::AppState;

/// Sends a link to verify the own e-mail address again, unless the address is verified.
#[utoipa::path(
    post,
    path = "/api/users/me/verification",
    tag = "users",
    security(("bearer" = [])),
    responses(
        (status = 202, description = "Accepted"),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: a service has no account", body = Problem),
        (status = 429, description = "TOO_MANY_REQUESTS, with Retry-After", body = Problem),
    )
)]
pub(super) async fn request_verification(
    State(app): State<AppState>,
    user: SignedInUser,
) -> Result<StatusCode, ApiError> {
    app.accounts.request_verification(user.1).await?;
    Ok(StatusCode::ACCEPTED)
}
