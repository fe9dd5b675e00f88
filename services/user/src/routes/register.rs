//! `POST /api/auth/register`

use axum::extract::State;
use axum::http::StatusCode;
use common::auth::Role;
use common::http::{ApiError, Checks, ClientAddr, Json};
use contracts::Problem;

use super::form::{ProfileForm, password};
use super::view::SignedIn;
use crate::app::AppState;
use crate::domain::{Change, Preferences, Profile};

/// Registers a person, who is signed in at once.
#[utoipa::path(
    post,
    path = "/api/auth/register",
    tag = "auth",
    request_body = ProfileForm,
    responses(
        (status = 201, body = SignedIn),
        (status = 400, description = "VALIDATION_FAILED, MALFORMED_BODY", body = Problem),
        (status = 409, description = "USER_EXISTS", body = Problem),
        (status = 503, description = "SERVICE_UNAVAILABLE, with Retry-After", body = Problem),
    )
)]
pub(super) async fn register(
    State(app): State<AppState>,
    ClientAddr(address): ClientAddr,
    Json(mut form): Json<ProfileForm>,
) -> Result<(StatusCode, Json<SignedIn>), ApiError> {
    let mut checks = Checks::new();
    let password = password(&mut checks, "password", form.password.take());
    let change = form.check(&mut checks, true, app.people.now());
    let (profile, password) = checks.finish(profile(change).zip(password))?;
    let signed_in = app.people.register(profile, Role::User, password, Some(address)).await?;
    let answer = SignedIn::new("User registered successfully", &app.tokens, signed_in)?;
    Ok((StatusCode::CREATED, Json(answer)))
}

fn profile(change: Change) -> Option<Profile> {
    let defaults = Preferences::default();
    Some(Profile {
        email: change.email?,
        email_verified: false,
        first_name: change.first_name?,
        last_name: change.last_name?,
        date_of_birth: change.date_of_birth.flatten(),
        phone_number: change.phone_number.flatten(),
        // Its parts were required.
        address: change.address.flatten().and_then(|address| address.apply(None).ok()),
        preferences: Preferences {
            notifications: change.notifications.unwrap_or(defaults.notifications),
            newsletter: change.newsletter.unwrap_or(defaults.newsletter),
            theme: change.theme.unwrap_or(defaults.theme),
        },
    })
}
