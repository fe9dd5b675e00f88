//! `POST /api/auth/logout`

use axum::extract::State;
use common::auth::SignedInUser;
use common::effects::Effects;
use common::http::{ApiError, Json};
use contracts::Problem;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::AppState;
use crate::domain::RevocationReason;

/// That it is done.
#[derive(Serialize, ToSchema)]
#[schema(as = LoggedOut)]
pub(super) struct Answer {
    message: &'static str,
}

/// Ends the session.
#[utoipa::path(
    post,
    path = "/api/auth/logout",
    tag = "auth",
    security(("bearer" = [])),
    responses(
        (status = 200, body = Answer),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: a service has no session", body = Problem),
    )
)]
pub(super) async fn logout(
    State(app): State<AppState>,
    SignedInUser(caller, id): SignedInUser,
) -> Result<Json<Answer>, ApiError> {
    let session = caller.session.as_deref().and_then(|session| session.parse().ok());
    app.people
        .change(id, |user, now| {
            let end = |session| user.end_session(session, RevocationReason::SignedOut, now);
            Ok(session.map_or_else(Effects::none, end))
        })
        .await?;
    Ok(Json(Answer { message: "Logout successful" }))
}
