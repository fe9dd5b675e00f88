//! `GET /api/users/{id}`

use axum::extract::State;
use common::auth::Caller;
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
        (status = 404, description = "USER_NOT_FOUND, also for another person", body = Problem),
    )
)]
pub(super) async fn get_user(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path<UserId>,
) -> Result<Json<ProfileView>, ApiError> {
    Ok(Json(app.people.profile(reachable(&caller, id)?).await?))
}
