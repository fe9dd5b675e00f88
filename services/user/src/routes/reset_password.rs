//! `POST /api/auth/password/reset`

use axum::extract::State;
use axum::http::StatusCode;
use common::http::{ApiError, ClientAddr, Json, Validator};
use contracts::Problem;
use serde::Deserialize;
use utoipa::ToSchema;

use super::request::new_password;
use crate::state::AppState;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PasswordReset)]
pub(super) struct ResetPasswordRequest {
    /// Token of the link.
    #[schema(required)]
    token: Option<String>,
    #[schema(required, min_length = 8, max_length = 128)]
    new_password: Option<String>,
}

/// Sets a new password by the token of a reset link, which can be used once, and ends all sessions.
#[utoipa::path(
    post,
    path = "/api/auth/password/reset",
    tag = "auth",
    request_body = ResetPasswordRequest,
    responses(
        (status = 204, description = "Changed"),
        (status = 400, description = "INVALID_RESET_TOKEN, VALIDATION_FAILED, MALFORMED_BODY", body = Problem),
        (status = 503, description = "SERVICE_UNAVAILABLE, with Retry-After", body = Problem),
    )
)]
pub(super) async fn reset_password(
    State(app): State<AppState>,
    ClientAddr(address): ClientAddr,
    Json(request): Json<ResetPasswordRequest>,
) -> Result<StatusCode, ApiError> {
    let mut checks = Validator::new();
    let token = checks.required("token", request.token);
    let new = new_password(&mut checks, "newPassword", request.new_password);
    let (token, new) = checks.finish(token.zip(new))?;
    app.accounts.reset_password(&token, new, address).await?;
    Ok(StatusCode::NO_CONTENT)
}
