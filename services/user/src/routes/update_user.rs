//! `PUT` and `PATCH /api/users/{id}`

use axum::extract::State;
use common::auth::SignedInUser;
use common::http::{ApiError, Json, Path};
use contracts::{Problem, UserId};

use super::form::{ProfileForm, change};
use super::view::{ProfileView, reachable};
use crate::app::AppState;
use crate::domain::Change;
use crate::error::Error;

/// Changes a user's profile; what is left out stays.
#[utoipa::path(
    method(put, patch),
    path = "/api/users/{id}",
    tag = "users",
    security(("bearer" = [])),
    params(("id" = UserId, Path)),
    request_body = ProfileForm,
    responses(
        (status = 200, body = ProfileView),
        (status = 400, description = "VALIDATION_FAILED, MALFORMED_BODY", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: a service changes no account", body = Problem),
        (status = 404, description = "USER_NOT_FOUND, also for another person", body = Problem),
        (status = 409, description = "USER_EXISTS", body = Problem),
    )
)]
pub(super) async fn update_user(
    State(app): State<AppState>,
    SignedInUser(caller, _own): SignedInUser,
    Path(id): Path<UserId>,
    Json(form): Json<ProfileForm>,
) -> Result<Json<ProfileView>, ApiError> {
    let id = reachable(&caller, id)?;
    changed(&app, id, change(form, app.people.now())?).await
}

/// Changes a profile, and answers it.
pub(super) async fn changed(app: &AppState, id: UserId, change: Change) -> Result<Json<ProfileView>, ApiError> {
    let user = app.people.change(id, |user, now| Ok(user.change(change.clone(), now))).await?;
    Ok(Json(ProfileView::of(user).ok_or(Error::NotFound)?))
}
