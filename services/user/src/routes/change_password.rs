//! `PUT /api/users/me/password`

use axum::extract::State;
use axum::http::StatusCode;
use common::auth::SignedInUser;
use common::http::{ApiError, Checks, ClientAddr, Json};
use contracts::Problem;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::form::password;
use crate::app::AppState;
use crate::error::Error;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PasswordChange)]
pub(super) struct Body {
    #[schema(required)]
    current_password: Option<String>,
    #[schema(required, min_length = 8, max_length = 128)]
    new_password: Option<String>,
}

/// Changes one's password; all other sessions end.
#[utoipa::path(
    put,
    path = "/api/users/me/password",
    tag = "users",
    security(("bearer" = [])),
    request_body = Body,
    responses(
        (status = 204, description = "Changed"),
        (status = 400, description = "INVALID_PASSWORD, VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: a service has no account", body = Problem),
        (status = 429, description = "TOO_MANY_REQUESTS, with Retry-After", body = Problem),
        (status = 503, description = "SERVICE_UNAVAILABLE, with Retry-After", body = Problem),
    )
)]
pub(super) async fn change_password(
    State(app): State<AppState>,
    SignedInUser(caller, id): SignedInUser,
    ClientAddr(address): ClientAddr,
    Json(body): Json<Body>,
) -> Result<StatusCode, ApiError> {
    let mut checks = Checks::new();
    let current = checks.required("currentPassword", body.current_password).map(SecretString::from);
    let new = password(&mut checks, "newPassword", body.new_password);
    let (current, new) = checks.finish(current.zip(new))?;
    let people = &app.people;
    let hash = people.verify_current_password(id, Some(current), address).await?;
    let new = people.passwords.hash(new).await?;
    let kept = caller.session.as_deref().and_then(|session| session.parse().ok());
    people
        .change(id, |user, now| {
            // Somebody else changed it meanwhile: what was given is no longer the current one.
            if user.password_hash != hash {
                return Err(Error::InvalidPassword);
            }
            Ok(user.set_password(new.clone(), kept, now))
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
