//! `GET`, `PUT` and `PATCH /api/users/me`

use axum::extract::State;
use common::auth::SignedInUser;
use common::http::{ApiError, ClientAddr, Json};
use contracts::Problem;

use super::form::ProfileForm;
use super::update_user::changed;
use super::view::ProfileView;
use crate::app::AppState;

/// One's own profile.
#[utoipa::path(
    get,
    path = "/api/users/me",
    tag = "users",
    security(("bearer" = [])),
    responses(
        (status = 200, body = ProfileView),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: a service has no account", body = Problem),
    )
)]
pub(super) async fn get_me(State(app): State<AppState>, person: SignedInUser) -> Result<Json<ProfileView>, ApiError> {
    Ok(Json(app.people.profile(person.1).await?))
}

/// Changes one's own profile; what is left out stays. The e-mail address is changed with the current password only; then
/// all other sessions end.
#[utoipa::path(
    method(put, patch),
    path = "/api/users/me",
    tag = "users",
    security(("bearer" = [])),
    request_body = ProfileForm,
    responses(
        (status = 200, body = ProfileView),
        (status = 400, description = "INVALID_PASSWORD, VALIDATION_FAILED, MALFORMED_BODY", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: a service has no account", body = Problem),
        (status = 409, description = "USER_EXISTS", body = Problem),
        (status = 429, description = "TOO_MANY_REQUESTS, with Retry-After", body = Problem),
        (status = 503, description = "SERVICE_UNAVAILABLE, with Retry-After", body = Problem),
    )
)]
pub(super) async fn update_me(
    State(app): State<AppState>,
    person: SignedInUser,
    ClientAddr(address): ClientAddr,
    Json(form): Json<ProfileForm>,
) -> Result<Json<ProfileView>, ApiError> {
    changed(&app, &person, person.1, form, address).await
}
