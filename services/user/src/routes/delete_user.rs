//! `DELETE /api/users/{id}`

use axum::extract::State;
use axum::http::StatusCode;
use common::auth::SignedInUser;
use common::http::{ApiError, ClientAddr, OptionalJson, Path};
use contracts::{Problem, UserId};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::view::reachable;
use crate::app::AppState;
use crate::error::Error;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UserDeletion)]
pub(super) struct Body {
    /// Needed to delete one's own account.
    current_password: Option<String>,
}

/// Deletes a user: what is personal is removed, and the sessions end. Orders keep their own records.
#[utoipa::path(
    delete,
    path = "/api/users/{id}",
    tag = "users",
    security(("bearer" = [])),
    params(("id" = UserId, Path)),
    request_body = Option<Body>,
    responses(
        (status = 204, description = "Deleted"),
        (status = 400, description = "INVALID_PASSWORD, VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: a service changes no account", body = Problem),
        (status = 404, description = "USER_NOT_FOUND, also for another person", body = Problem),
        (status = 409, description = "CONFLICT: the last admin", body = Problem),
        (status = 429, description = "TOO_MANY_REQUESTS, with Retry-After", body = Problem),
        (status = 503, description = "SERVICE_UNAVAILABLE, with Retry-After", body = Problem),
    )
)]
pub(super) async fn delete_user(
    State(app): State<AppState>,
    SignedInUser(caller, own): SignedInUser,
    Path(id): Path<UserId>,
    ClientAddr(address): ClientAddr,
    OptionalJson(body): OptionalJson<Body>,
) -> Result<StatusCode, ApiError> {
    let id = reachable(&caller, id)?;
    let mut verified = None;
    if id == own {
        let password = body.and_then(|body| body.current_password).map(SecretString::from);
        verified = Some(app.people.verify_current_password(id, password, address).await?);
    }
    app.people
        .take_away(id, |user, now| {
            // Changed meanwhile: what was given is no longer the current one.
            if verified.as_ref().is_some_and(|hash| *hash != user.password_hash) {
                return Err(Error::InvalidPassword);
            }
            Ok(user.delete(now))
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
