//! `GET` and `DELETE /api/users/me/sessions`, `DELETE /api/users/me/sessions/{sid}`

use axum::extract::State;
use axum::http::StatusCode;
use common::http::{ApiError, Json, Path, SignedInUser};
use contracts::Problem;
use uuid::Uuid;

use super::request::session_id;
use crate::service::ActiveSession;
use crate::state::AppState;

/// Lists the own sessions, latest sign-in first.
#[utoipa::path(
    get,
    path = "/api/users/me/sessions",
    tag = "users",
    security(("bearer" = [])),
    responses(
        (status = 200, body = Vec<ActiveSession>),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: a service has no account", body = Problem),
    )
)]
pub(super) async fn list_my_sessions(
    State(app): State<AppState>,
    SignedInUser(caller, id): SignedInUser,
) -> Result<Json<Vec<ActiveSession>>, ApiError> {
    Ok(Json(app.sessions.list(id, session_id(&caller)).await?))
}

/// Ends all own sessions except the one of the request.
#[utoipa::path(
    delete,
    path = "/api/users/me/sessions",
    tag = "users",
    security(("bearer" = [])),
    responses(
        (status = 204, description = "Ended"),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: a service has no account", body = Problem),
    )
)]
pub(super) async fn end_my_other_sessions(
    State(app): State<AppState>,
    SignedInUser(caller, id): SignedInUser,
) -> Result<StatusCode, ApiError> {
    app.sessions.end_others(id, session_id(&caller)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends an own session, also the one of the request.
#[utoipa::path(
    delete,
    path = "/api/users/me/sessions/{sid}",
    tag = "users",
    security(("bearer" = [])),
    params(("sid" = Uuid, Path)),
    responses(
        (status = 204, description = "Ended"),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: a service has no account", body = Problem),
        (status = 404, description = "SESSION_NOT_FOUND, also for another user's session", body = Problem),
    )
)]
pub(super) async fn end_my_session(
    State(app): State<AppState>,
    user: SignedInUser,
    Path(sid): Path<Uuid>,
) -> Result<StatusCode, ApiError> {
    app.sessions.end(user.1, sid).await?;
    Ok(StatusCode::NO_CONTENT)
}
