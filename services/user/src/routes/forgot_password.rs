//! `POST /api/auth/password/forgot`

use axum::extract::State;
use axum::http::StatusCode;
use common::http::{ApiError, ClientAddr, Json, Validator};
use contracts::Problem;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::state::AppState;

#[derive(Deserialize, ToSchema)]
#[schema(as = ForgottenPassword)]
pub(super) struct ForgotPasswordRequest {
    #[schema(required)]
    email: Option<String>,
}

/// Sends a link to reset the password, valid for 30 minutes, if there is an account with this address. The response and
/// its time are the same for every address.
#[utoipa::path(
    post,
    path = "/api/auth/password/forgot",
    tag = "auth",
    request_body = ForgotPasswordRequest,
    responses(
        (status = 202, description = "Accepted, also for an unknown address or after too many requests"),
        (status = 400, description = "VALIDATION_FAILED, MALFORMED_BODY", body = Problem),
    )
)]
pub(super) async fn forgot_password(
    State(app): State<AppState>,
    ClientAddr(address): ClientAddr,
    Json(request): Json<ForgotPasswordRequest>,
) -> Result<StatusCode, ApiError> {
    let mut checks = Validator::new();
    let typed = request.email.clone();
    let valid = checks.email("email", request.email);
    let email = checks.finish(valid.and(typed))?;
    app.accounts.request_password_reset(&email, address).await?;
    Ok(StatusCode::ACCEPTED)
}
