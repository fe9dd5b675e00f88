//! `GET` and `DELETE /api/users/{id}/sessions`

use axum::extract::State;
use axum::http::StatusCode;
use common::auth::Caller;
use common::http::{AdminOnly, ApiError, Json, Path};
use contracts::{Problem, UserId};
use uuid::Uuid;

use super::request::session_id;
use crate::service::ActiveSession;
use crate::state::AppState;

/// Lists the sessions of a user, latest sign-in first.
#[utoipa::path(
    get,
    path = "/api/users/{id}/sessions",
    tag = "users",
    security(("bearer" = [])),
    params(("id" = UserId, Path)),
    responses(
        (status = 200, body = Vec<ActiveSession>),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN", body = Problem),
        (status = 404, description = "USER_NOT_FOUND", body = Problem),
    )
)]
pub(super) async fn list_user_sessions(
    State(app): State<AppState>,
    AdminOnly(admin): AdminOnly,
    Path(id): Path<UserId>,
) -> Result<Json<Vec<ActiveSession>>, ApiError> {
    Ok(Json(app.sessions.list(id, own_session(&admin, id)).await?))
}

/// Ends all sessions of a user; of an admin's own ones, the one of the request stays.
#[utoipa::path(
    delete,
    path = "/api/users/{id}/sessions",
    tag = "users",
    security(("bearer" = [])),
    params(("id" = UserId, Path)),
    responses(
        (status = 204, description = "Ended"),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN", body = Problem),
        (status = 404, description = "USER_NOT_FOUND", body = Problem),
    )
)]
pub(super) async fn end_user_sessions(
    State(app): State<AppState>,
    AdminOnly(admin): AdminOnly,
    Path(id): Path<UserId>,
) -> Result<StatusCode, ApiError> {
    app.sessions.end_others(id, own_session(&admin, id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a session of a user.
#[utoipa::path(
    delete,
    path = "/api/users/{id}/sessions/{sid}",
    tag = "users",
    security(("bearer" = [])),
    params(("id" = UserId, Path), ("sid" = Uuid, Path)),
    responses(
        (status = 204, description = "Ended"),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN", body = Problem),
        (status = 404, description = "USER_NOT_FOUND, SESSION_NOT_FOUND", body = Problem),
    )
)]
pub(super) async fn end_user_session(
    State(app): State<AppState>,
    _admin: AdminOnly,
    Path((id, sid)): Path<(UserId, Uuid)>,
) -> Result<StatusCode, ApiError> {
    app.sessions.end(id, sid).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Returns the session of the request, if the account is the caller's own.
fn own_session(caller: &Caller, id: UserId) -> Option<Uuid> {
    session_id(caller).filter(|_| caller.user_id == Some(id))
}
