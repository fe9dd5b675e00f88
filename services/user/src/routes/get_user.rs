//! `GET /api/users/{id}`

use axum::extract::State;
use common::auth::{Scoped, scope};
use common::http::{ApiError, Json, Path};
use contracts::{Problem, UserId};

use super::view::{ProfileView, reachable};
use crate::app::AppState;

/// A user's profile.
#[utoipa::path(
    get,
    path = "/api/users/{id}",
    tag = "users",
    security(("bearer" = [])),
    params(("id" = UserId, Path)),
    responses(
        (status = 200, body = ProfileView),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "INSUFFICIENT_SCOPE: a service without users:read", body = Problem),
        (status = 404, description = "USER_NOT_FOUND, also for another person", body = Problem),
    )
)]
pub(super) async fn get_user(
    State(app): State<AppState>,
    caller: Scoped<scope::UsersRead>,
    Path(id): Path<UserId>,
) -> Result<Json<ProfileView>, ApiError> {
    Ok(Json(app.people.profile(reachable(&caller.into_inner(), id)?).await?))
}
