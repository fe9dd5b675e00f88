//! `PUT` and `PATCH /api/users/{id}`

use axum::extract::State;
use common::http::{ApiError, ClientAddr, Json, Path, SignedInUser};
use contracts::{Problem, UserId};

use super::request::{ProfileRequest, ensure_visible, requester};
use crate::service::UserProfile;
use crate::state::AppState;

/// Updates a user's profile; an absent field stays unchanged. A new e-mail address of the own account requires the
/// current password and ends all other sessions.
#[utoipa::path(
    method(put, patch),
    path = "/api/users/{id}",
    tag = "users",
    security(("bearer" = [])),
    params(("id" = UserId, Path)),
    request_body = ProfileRequest,
    responses(
        (status = 200, body = UserProfile),
        (status = 400, description = "INVALID_PASSWORD, VALIDATION_FAILED, MALFORMED_BODY", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: a service cannot change accounts", body = Problem),
        (status = 404, description = "USER_NOT_FOUND, also for another user's account", body = Problem),
        (status = 409, description = "USER_EXISTS", body = Problem),
        (status = 429, description = "TOO_MANY_REQUESTS, with Retry-After", body = Problem),
        (status = 503, description = "SERVICE_UNAVAILABLE, with Retry-After", body = Problem),
    )
)]
pub(super) async fn update_user(
    State(app): State<AppState>,
    user: SignedInUser,
    Path(id): Path<UserId>,
    ClientAddr(address): ClientAddr,
    Json(request): Json<ProfileRequest>,
) -> Result<Json<UserProfile>, ApiError> {
    ensure_visible(&user.0, id)?;
    let (update, password) = request.into_update(app.clock.now())?;
    Ok(Json(app.accounts.update_profile(requester(&user, address), id, update, password).await?))
}
