//! `POST /api/auth/refresh`

use axum::extract::State;
use common::http::{ApiError, Json, Validator};
use contracts::Problem;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::state::AppState;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Refresh)]
pub(super) struct RefreshRequest {
    /// Refresh token.
    refresh_token: Option<String>,
    /// Refresh token, by its name in the older service.
    token: Option<String>,
}

/// New tokens of a session.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RefreshedTokens)]
pub(super) struct RefreshResponse {
    message: &'static str,
    token: String,
    refresh_token: String,
    /// Remaining lifetime of the token in seconds.
    expires_in: i64,
}

/// Renews the tokens of a session. Every use of a refresh token within 10 seconds of its first use returns the same
/// successor; a later use ends the session.
#[utoipa::path(
    post,
    path = "/api/auth/refresh",
    tag = "auth",
    request_body = RefreshRequest,
    responses(
        (status = 200, body = RefreshResponse),
        (status = 400, description = "VALIDATION_FAILED, MALFORMED_BODY", body = Problem),
        (status = 401, description = "INVALID_REFRESH_TOKEN", body = Problem),
    )
)]
pub(super) async fn refresh(
    State(app): State<AppState>,
    Json(request): Json<RefreshRequest>,
) -> Result<Json<RefreshResponse>, ApiError> {
    let mut checks = Validator::new();
    let token = checks.required("refreshToken", request.refresh_token.or(request.token));
    let tokens = app.sessions.refresh(&checks.finish(token)?).await?;
    Ok(Json(RefreshResponse {
        message: "Token refreshed",
        token: tokens.access_token,
        refresh_token: tokens.refresh_token.expose_secret().to_owned(),
        expires_in: tokens.expires_in.num_seconds(),
    }))
}
