//! `POST /api/auth/login`

use axum::extract::State;
use axum::http::HeaderMap;
use common::http::{ApiError, ClientAddr, Json, Validator};
use contracts::Problem;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::request::client_info;
use super::response::SessionResponse;
use crate::state::AppState;

#[derive(Deserialize, ToSchema)]
#[schema(as = Login)]
pub(super) struct LoginRequest {
    #[schema(required)]
    email: Option<String>,
    #[schema(required)]
    password: Option<String>,
}

/// Signs a user in.
#[utoipa::path(
    post,
    path = "/api/auth/login",
    tag = "auth",
    request_body = LoginRequest,
    responses(
        (status = 200, body = SessionResponse),
        (status = 400, description = "VALIDATION_FAILED, MALFORMED_BODY", body = Problem),
        (status = 401, description = "INVALID_CREDENTIALS", body = Problem),
        (status = 429, description = "TOO_MANY_REQUESTS, with Retry-After", body = Problem),
        (status = 503, description = "SERVICE_UNAVAILABLE, with Retry-After", body = Problem),
    )
)]
pub(super) async fn login(
    State(app): State<AppState>,
    ClientAddr(address): ClientAddr,
    headers: HeaderMap,
    Json(request): Json<LoginRequest>,
) -> Result<Json<SessionResponse>, ApiError> {
    let mut checks = Validator::new();
    let email = checks.required("email", request.email);
    let password = checks.required("password", request.password).map(SecretString::from);
    let (email, password) = checks.finish(email.zip(password))?;
    let signed_in = app.sessions.login(&email, password, client_info(&headers, address)).await?;
    Ok(Json(SessionResponse::new("Login successful", signed_in)))
}
