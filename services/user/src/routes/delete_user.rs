//! `DELETE /api/users/{id}`

use axum::extract::State;
use axum::http::StatusCode;
use common::http::{ApiError, ClientAddr, OptionalJson, Path, SignedInUser};
use contracts::{Problem, UserId};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::request::{ensure_visible, requester};
use crate::state::AppState;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UserDeletion)]
pub(super) struct DeleteUserRequest {
    /// Required to delete the own account.
    current_password: Option<String>,
}

/// Deletes a user: removes the personal data and ends the sessions. Orders keep their own records.
#[utoipa::path(
    delete,
    path = "/api/users/{id}",
    tag = "users",
    security(("bearer" = [])),
    params(("id" = UserId, Path)),
    request_body = Option<DeleteUserRequest>,
    responses(
        (status = 204, description = "Deleted"),
        (status = 400, description = "INVALID_PASSWORD, VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: a service cannot change accounts", body = Problem),
        (status = 404, description = "USER_NOT_FOUND, also for another user's account", body = Problem),
        (status = 409, description = "CONFLICT: the last admin", body = Problem),
        (status = 429, description = "TOO_MANY_REQUESTS, with Retry-After", body = Problem),
        (status = 503, description = "SERVICE_UNAVAILABLE, with Retry-After", body = Problem),
    )
)]
pub(super) async fn delete_user(
    State(app): State<AppState>,
    user: SignedInUser,
    Path(id): Path<UserId>,
    ClientAddr(address): ClientAddr,
    OptionalJson(request): OptionalJson<DeleteUserRequest>,
) -> Result<StatusCode, ApiError> {
    ensure_visible(&user.0, id)?;
    let password = request.and_then(|request| request.current_password).map(SecretString::from);
    app.accounts.delete(requester(&user, address), id, password).await?;
    Ok(StatusCode::NO_CONTENT)
}
