//! `POST /api/auth/logout`

use axum::extract::State;
use common::auth::Caller;
use common::effects::Effects;
use common::http::{ApiError, Json};
use contracts::Problem;
use serde::Serialize;
use utoipa::ToSchema;

use super::view::own;
use crate::app::AppState;

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
pub(super) async fn logout(State(app): State<AppState>, caller: Caller) -> Result<Json<Answer>, ApiError> {
    let id = own(&caller)?;
    let session = caller.session.as_deref().and_then(|session| session.parse().ok());
    app.people
        .change(id, |user, _| {
            if let Some(session) = session {
                user.end_session(session);
            }
            Ok(Effects::none())
        })
        .await?;
    Ok(Json(Answer { message: "Logout successful" }))
}
