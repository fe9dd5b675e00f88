//! `POST /api/auth/logout`

use axum::extract::State;
use common::http::{ApiError, Json, SignedInUser};
use contracts::Problem;
use serde::Serialize;
use utoipa::ToSchema;

use super::request::session_id;
use crate::state::AppState;

/// Confirmation of a sign-out.
#[derive(Serialize, ToSchema)]
#[schema(as = LoggedOut)]
pub(super) struct LogoutResponse {
    message: &'static str,
}

/// Ends the session.
#[utoipa::path(
    post,
    path = "/api/auth/logout",
    tag = "auth",
    security(("bearer" = [])),
    responses(
        (status = 200, body = LogoutResponse),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: a service has no session", body = Problem),
    )
)]
pub(super) async fn logout(
    State(app): State<AppState>,
    SignedInUser(caller, id): SignedInUser,
) -> Result<Json<LogoutResponse>, ApiError> {
    app.sessions.logout(id, session_id(&caller)).await?;
    Ok(Json(LogoutResponse { message: "Logout successful" }))
}
