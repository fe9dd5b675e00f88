//! `GET /api/users/{id}`

use axum::extract::State;
use common::http::{ApiError, Json, Path, UserOr, scope};
use contracts::{Problem, UserId};

use super::request::ensure_visible;
use crate::service::UserProfile;
use crate::state::AppState;

/// Returns a user's profile.
#[utoipa::path(
    get,
    path = "/api/users/{id}",
    tag = "users",
    security(("bearer" = [])),
    params(("id" = UserId, Path)),
    responses(
        (status = 200, body = UserProfile),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "INSUFFICIENT_SCOPE: a service without users:read", body = Problem),
        (status = 404, description = "USER_NOT_FOUND, also for another user's account", body = Problem),
    )
)]
pub(super) async fn get_user(
    State(app): State<AppState>,
    caller: UserOr<scope::UsersRead>,
    Path(id): Path<UserId>,
) -> Result<Json<UserProfile>, ApiError> {
    ensure_visible(&caller.into_inner(), id)?;
    Ok(Json(app.accounts.profile(id).await?))
}
