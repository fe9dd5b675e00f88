//! `POST /api/auth/refresh`

use axum::extract::State;
use common::effects::Effects;
use common::http::{ApiError, Checks, Json};
use contracts::Problem;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::AppState;
use crate::domain::{RefreshToken, Refreshed, RevocationReason};
use crate::error::Error;
use crate::tokens::PERSON_LIFE;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Refresh)]
pub(super) struct Body {
    /// The refresh token.
    refresh_token: Option<String>,
    /// The same, under the name that the older service gave it.
    token: Option<String>,
}

/// New tokens of a session.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RefreshedTokens)]
pub(super) struct Answer {
    message: &'static str,
    token: String,
    refresh_token: String,
    /// Seconds until the token runs out.
    expires_in: i64,
}

/// Renews a session's tokens. Within 10 seconds of its first use a refresh token gives the same successor each time;
/// used later, it ends the session.
#[utoipa::path(
    post,
    path = "/api/auth/refresh",
    tag = "auth",
    request_body = Body,
    responses(
        (status = 200, body = Answer),
        (status = 400, description = "VALIDATION_FAILED, MALFORMED_BODY", body = Problem),
        (status = 401, description = "INVALID_REFRESH_TOKEN", body = Problem),
    )
)]
pub(super) async fn refresh(State(app): State<AppState>, Json(body): Json<Body>) -> Result<Json<Answer>, ApiError> {
    let mut checks = Checks::new();
    let sent = checks.required("refreshToken", body.refresh_token.or(body.token));
    let sent = checks.finish(sent)?;
    let used = RefreshToken::parse(&sent).ok_or(Error::InvalidRefreshToken)?;
    let mut outcome = Refreshed::Unknown;
    let changed = app.people.change(used.user_id, |user, now| {
        outcome = user.session(used.session, now).map_or(Refreshed::Unknown, |session| session.refresh(&used, now));
        if matches!(outcome, Refreshed::Reused) {
            return Ok(user.end_session(used.session, RevocationReason::RefreshTokenReused, now));
        }
        Ok(Effects::none())
    });
    let user = match changed.await {
        Err(Error::NotFound) => return Err(Error::InvalidRefreshToken.into()),
        changed => changed?,
    };
    let next = match outcome {
        Refreshed::Successor(next) => {
            app.people.note_refresh(used.user_id);
            next
        }
        Refreshed::Reused => {
            tracing::warn!(user.id = %user.id, session.id = %used.session, "refresh token reused, session ended");
            return Err(Error::InvalidRefreshToken.into());
        }
        Refreshed::Unknown => return Err(Error::InvalidRefreshToken.into()),
    };
    Ok(Json(Answer {
        message: "Token refreshed",
        token: app.tokens.person(&user, used.session),
        refresh_token: next.text().expose_secret().to_owned(),
        expires_in: PERSON_LIFE.num_seconds(),
    }))
}
