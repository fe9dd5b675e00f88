//! `POST /api/auth/email/verify`

use axum::extract::State;
use axum::http::StatusCode;
use common::http::{ApiError, Json, Validator};
use contracts::Problem;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::state::AppState;

#[derive(Deserialize, ToSchema)]
#[schema(as = EmailVerification)]
pub(super) struct VerifyEmailRequest {
    /// Token of the link.
    #[schema(required)]
    token: Option<String>,
}

/// Verifies an e-mail address by the token of a link, which can be used once.
#[utoipa::path(
    post,
    path = "/api/auth/email/verify",
    tag = "auth",
    request_body = VerifyEmailRequest,
    responses(
        (status = 204, description = "Verified"),
        (status = 400, description = "INVALID_VERIFICATION_TOKEN, VALIDATION_FAILED, MALFORMED_BODY", body = Problem),
    )
)]
pub(super) async fn verify_email(
    State(app): State<AppState>,
    Json(request): Json<VerifyEmailRequest>,
) -> Result<StatusCode, ApiError> {
    let mut checks = Validator::new();
    let token = checks.required("token", request.token);
    app.accounts.verify_email(&checks.finish(token)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
