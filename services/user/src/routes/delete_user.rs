//! `DELETE /api/users/{id}`

use axum::extract::State;
use axum::http::StatusCode;
use common::auth::SignedInUser;
use common::http::{ApiError, Path};
use contracts::{Problem, UserId};

use super::view::reachable;
use crate::app::AppState;

/// Deletes a user: what is personal is removed, and the sessions end. Orders keep their own records.
#[utoipa::path(
    delete,
    path = "/api/users/{id}",
    tag = "users",
    security(("bearer" = [])),
    params(("id" = UserId, Path)),
    responses(
        (status = 204, description = "Deleted"),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: a service changes no account", body = Problem),
        (status = 404, description = "USER_NOT_FOUND, also for another person", body = Problem),
        (status = 409, description = "CONFLICT: the last admin", body = Problem),
    )
)]
pub(super) async fn delete_user(
    State(app): State<AppState>,
    SignedInUser(caller, _own): SignedInUser,
    Path(id): Path<UserId>,
) -> Result<StatusCode, ApiError> {
    let id = reachable(&caller, id)?;
    app.people.take_away(id, |user, now| Ok(user.delete(now))).await?;
    Ok(StatusCode::NO_CONTENT)
}
