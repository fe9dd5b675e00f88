//! `PUT /api/users/me/password`

use axum::extract::State;
use axum::http::StatusCode;
use common::http::{ApiError, ClientAddr, Json, SignedInUser, Validator};
use contracts::Problem;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::request::{new_password, requester};
use crate::state::AppState;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PasswordChange)]
pub(super) struct ChangePasswordRequest {
    #[schema(required)]
    current_password: Option<String>,
    #[schema(required, min_length = 8, max_length = 128)]
    new_password: Option<String>,
}

/// Changes the own password and ends all other sessions.
#[utoipa::path(
    put,
    path = "/api/users/me/password",
    tag = "users",
    security(("bearer" = [])),
    request_body = ChangePasswordRequest,
    responses(
        (status = 204, description = "Changed"),
        (status = 400, description = "INVALID_PASSWORD, VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: a service has no account", body = Problem),
        (status = 429, description = "TOO_MANY_REQUESTS, with Retry-After", body = Problem),
        (status = 503, description = "SERVICE_UNAVAILABLE, with Retry-After", body = Problem),
    )
)]
pub(super) async fn change_password(
    State(app): State<AppState>,
    user: SignedInUser,
    ClientAddr(address): ClientAddr,
    Json(request): Json<ChangePasswordRequest>,
) -> Result<StatusCode, ApiError> {
    let mut checks = Validator::new();
    let current = checks.required("currentPassword", request.current_password).map(SecretString::from);
    let new = new_password(&mut checks, "newPassword", request.new_password);
    let (current, new) = checks.finish(current.zip(new))?;
    app.accounts.change_password(requester(&user, address), current, new).await?;
    Ok(StatusCode::NO_CONTENT)
}
