//! `POST /api/auth/login`

use std::net::IpAddr;

use axum::extract::State;
use common::effects::Effects;
use common::http::{ApiError, Checks, ClientAddr, Json};
use contracts::Problem;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::view::SignedIn;
use crate::app::AppState;
use crate::domain::User;
use crate::error::Error;
use crate::passwords::Verdict;
use crate::people::canonical_email;

#[derive(Deserialize, ToSchema)]
#[schema(as = Login)]
pub(super) struct Body {
    #[schema(required)]
    email: Option<String>,
    #[schema(required)]
    password: Option<String>,
}

/// Signs a person in.
#[utoipa::path(
    post,
    path = "/api/auth/login",
    tag = "auth",
    request_body = Body,
    responses(
        (status = 200, body = SignedIn),
        (status = 400, description = "VALIDATION_FAILED, MALFORMED_BODY", body = Problem),
        (status = 401, description = "INVALID_CREDENTIALS", body = Problem),
        (status = 429, description = "TOO_MANY_REQUESTS, with Retry-After", body = Problem),
        (status = 503, description = "SERVICE_UNAVAILABLE, with Retry-After", body = Problem),
    )
)]
pub(super) async fn login(
    State(app): State<AppState>,
    ClientAddr(address): ClientAddr,
    Json(body): Json<Body>,
) -> Result<Json<SignedIn>, ApiError> {
    let mut checks = Checks::new();
    let email = checks.required("email", body.email);
    let password = checks.required("password", body.password).map(SecretString::from);
    let (email, password) = checks.finish(email.zip(password))?;
    let user = authenticate(&app, &email, password, address).await?;
    let signed_in = app.people.sign_in(&user, address).await?;
    Ok(Json(SignedIn::new("Login successful", &app.tokens, signed_in)?))
}

async fn authenticate(app: &AppState, email: &str, password: SecretString, from: IpAddr) -> Result<User, Error> {
    let people = &app.people;
    let user = people.find_by_email(email).await?;
    let guess = people.guess(&canonical_email(email), from, user.as_ref()).await?;
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    let verdict = people.judge(guess, password.clone(), hash).await?;
    let user = user.filter(|_| verdict != Verdict::Wrong).ok_or(Error::InvalidCredentials)?;
    if verdict == Verdict::RightButOld {
        let new = people.passwords.hash(password).await?;
        let rehash = |changed: &mut User, _| {
            // Unless it was changed meanwhile.
            if changed.password_hash == user.password_hash {
                changed.password_hash.clone_from(&new);
            }
            Ok(Effects::none())
        };
        return people.change(user.id, rehash).await;
    }
    Ok(user)
}
