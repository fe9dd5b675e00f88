//! `GET`, `PUT` and `PATCH /api/users/me`

use axum::extract::State;
use common::http::{ApiError, ClientAddr, Json, SignedInUser};
use contracts::Problem;

use super::request::{ProfileRequest, requester};
use crate::service::UserProfile;
use crate::state::AppState;

/// Returns the own profile.
#[utoipa::path(
    get,
    path = "/api/users/me",
    tag = "users",
    security(("bearer" = [])),
    responses(
        (status = 200, body = UserProfile),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: a service has no account", body = Problem),
    )
)]
pub(super) async fn get_me(State(app): State<AppState>, user: SignedInUser) -> Result<Json<UserProfile>, ApiError> {
    Ok(Json(app.accounts.profile(user.1).await?))
}

/// Updates the own profile; an absent field stays unchanged. A new e-mail address requires the current password and ends
/// all other sessions.
#[utoipa::path(
    method(put, patch),
    path = "/api/users/me",
    tag = "users",
    security(("bearer" = [])),
    request_body = ProfileRequest,
    responses(
        (status = 200, body = UserProfile),
        (status = 400, description = "INVALID_PASSWORD, VALIDATION_FAILED, MALFORMED_BODY", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: a service has no account", body = Problem),
        (status = 409, description = "USER_EXISTS", body = Problem),
        (status = 429, description = "TOO_MANY_REQUESTS, with Retry-After", body = Problem),
        (status = 503, description = "SERVICE_UNAVAILABLE, with Retry-After", body = Problem),
    )
)]
pub(super) async fn update_me(
    State(app): State<AppState>,
    user: SignedInUser,
    ClientAddr(address): ClientAddr,
    Json(request): Json<ProfileRequest>,
) -> Result<Json<UserProfile>, ApiError> {
    let (update, password) = request.into_update(app.clock.now())?;
    Ok(Json(app.accounts.update_profile(requester(&user, address), user.1, update, password).await?))
}
