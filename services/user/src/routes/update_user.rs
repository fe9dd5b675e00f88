//! `PUT` and `PATCH /api/users/{id}`

use std::net::IpAddr;

use axum::extract::State;
use common::auth::SignedInUser;
use common::http::{ApiError, ClientAddr, Json, Path};
use contracts::{Problem, UserId};

use super::form::{ProfileForm, change};
use super::view::{ProfileView, reachable};
use crate::app::AppState;
use crate::error::Error;

/// Changes a user's profile; what is left out stays. One's own e-mail address is changed with the current password only;
/// then all other sessions end.
#[utoipa::path(
    method(put, patch),
    path = "/api/users/{id}",
    tag = "users",
    security(("bearer" = [])),
    params(("id" = UserId, Path)),
    request_body = ProfileForm,
    responses(
        (status = 200, body = ProfileView),
        (status = 400, description = "INVALID_PASSWORD, VALIDATION_FAILED, MALFORMED_BODY", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: a service changes no account", body = Problem),
        (status = 404, description = "USER_NOT_FOUND, also for another person", body = Problem),
        (status = 409, description = "USER_EXISTS", body = Problem),
        (status = 429, description = "TOO_MANY_REQUESTS, with Retry-After", body = Problem),
        (status = 503, description = "SERVICE_UNAVAILABLE, with Retry-After", body = Problem),
    )
)]
pub(super) async fn update_user(
    State(app): State<AppState>,
    person: SignedInUser,
    Path(id): Path<UserId>,
    ClientAddr(address): ClientAddr,
    Json(form): Json<ProfileForm>,
) -> Result<Json<ProfileView>, ApiError> {
    let id = reachable(&person.0, id)?;
    changed(&app, &person, id, form, address).await
}

/// Changes a profile and returns it.
pub(super) async fn changed(
    app: &AppState,
    SignedInUser(caller, own): &SignedInUser,
    id: UserId,
    form: ProfileForm,
    address: IpAddr,
) -> Result<Json<ProfileView>, ApiError> {
    let people = &app.people;
    let (change, password) = change(form, people.now())?;
    let own = id == *own;
    let mut verified = None;
    if own && people.users.find(id).await?.is_some_and(|stored| stored.user.changes_email(&change)) {
        // A stolen access token must not become the account.
        verified = Some(people.verify_current_password(id, password, address).await?);
    }
    let session = caller.session.as_deref().filter(|_| own).and_then(|session| session.parse().ok());
    let user = people.change(id, |user, now| {
        if own && user.changes_email(&change) && verified.as_ref() != Some(&user.password_hash) {
            return Err(Error::InvalidPassword);
        }
        Ok(user.change(change.clone(), session, now)?)
    });
    Ok(Json(ProfileView::of(user.await?).ok_or(Error::NotFound)?))
}
