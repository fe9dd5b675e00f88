//! `GET /api/users/me/export`

use axum::extract::State;
use chrono::{DateTime, Utc};
use common::http::{ApiError, Json, SignedInUser};
use contracts::Problem;
use serde::Serialize;
use utoipa::ToSchema;

use super::request::session_id;
use crate::service::{ActiveSession, UserProfile};
use crate::state::AppState;

/// Personal data of an account.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AccountExport)]
pub(super) struct ExportResponse {
    exported_at: DateTime<Utc>,
    profile: UserProfile,
    sessions: Vec<ActiveSession>,
}

/// Returns all personal data of the own account.
#[utoipa::path(
    get,
    path = "/api/users/me/export",
    tag = "users",
    security(("bearer" = [])),
    responses(
        (status = 200, body = ExportResponse),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: a service has no account", body = Problem),
    )
)]
pub(super) async fn export_me(
    State(app): State<AppState>,
    SignedInUser(caller, id): SignedInUser,
) -> Result<Json<ExportResponse>, ApiError> {
    let (profile, sessions) = app.sessions.export(id, session_id(&caller)).await?;
    Ok(Json(ExportResponse { exported_at: app.clock.now(), profile, sessions }))
}
