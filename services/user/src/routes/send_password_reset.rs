//! `POST /api/users/{id}/password-reset`

use axum::extract::State;
use axum::http::StatusCode;
use common::http::{AdminOnly, ApiError, Path};
use contracts::{Problem, UserId};

use crate::state::AppState;

/// Sends a user a link to reset the password, valid for 30 minutes.
#[utoipa::path(
    post,
    path = "/api/users/{id}/password-reset",
    tag = "users",
    security(("bearer" = [])),
    params(("id" = UserId, Path)),
    responses(
        (status = 202, description = "Accepted"),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN", body = Problem),
        (status = 404, description = "USER_NOT_FOUND", body = Problem),
    )
)]
pub(super) async fn send_password_reset(
    State(app): State<AppState>,
    _admin: AdminOnly,
    Path(id): Path<UserId>,
) -> Result<StatusCode, ApiError> {
    app.accounts.send_password_reset(id).await?;
    Ok(StatusCode::ACCEPTED)
}
