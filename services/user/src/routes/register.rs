//! `POST /api/auth/register`

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use common::http::{ApiError, ClientAddr, Json, Validator};
use contracts::Problem;

use super::request::{ProfileRequest, client_info, new_password};
use super::response::SessionResponse;
use crate::domain::{Preferences, Profile, ProfileUpdate};
use crate::state::AppState;

/// Registers a user and signs the user in.
#[utoipa::path(
    post,
    path = "/api/auth/register",
    tag = "auth",
    request_body = ProfileRequest,
    responses(
        (status = 201, body = SessionResponse),
        (status = 400, description = "VALIDATION_FAILED, MALFORMED_BODY", body = Problem),
        (status = 409, description = "USER_EXISTS", body = Problem),
        (status = 503, description = "SERVICE_UNAVAILABLE, with Retry-After", body = Problem),
    )
)]
pub(super) async fn register(
    State(app): State<AppState>,
    ClientAddr(address): ClientAddr,
    headers: HeaderMap,
    Json(mut request): Json<ProfileRequest>,
) -> Result<(StatusCode, Json<SessionResponse>), ApiError> {
    let mut checks = Validator::new();
    let password = new_password(&mut checks, "password", request.password.take());
    let profile = new_profile(request.validate(&mut checks, true, app.clock.now()));
    let (profile, password) = checks.finish(profile.zip(password))?;
    let signed_in = app.sessions.register(profile, password, client_info(&headers, address)).await?;
    Ok((StatusCode::CREATED, Json(SessionResponse::new("User registered successfully", signed_in))))
}

/// Returns the profile of a new user, `None` if a required field is missing.
fn new_profile(update: ProfileUpdate) -> Option<Profile> {
    let defaults = Preferences::default();
    Some(Profile {
        email: update.email?,
        email_verified: false,
        first_name: update.first_name?,
        last_name: update.last_name?,
        date_of_birth: update.date_of_birth.flatten(),
        phone_number: update.phone_number.flatten(),
        // The validation required every part.
        address: update.address.flatten().and_then(|address| address.apply(None).ok()),
        preferences: Preferences {
            notifications: update.notifications.unwrap_or(defaults.notifications),
            newsletter: update.newsletter.unwrap_or(defaults.newsletter),
            theme: update.theme.unwrap_or(defaults.theme),
        },
    })
}
