//! `POST /api/webhooks/stripe`

use axum::extract::State;
use axum::http::HeaderMap;
use bytes::Bytes;
use common::http::{ApiError, Json};
use contracts::{ErrorCode, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::AppState;
use crate::stripe::read_notice;

/// That it was taken in.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookReceived)]
pub(super) struct Answer {
    received: bool,
}

/// Receives Stripe's events. An event is a hint: the object that it names is fetched from Stripe next, and only what that
/// returns is applied. Events of another kind or shape are received and ignored.
#[utoipa::path(
    post,
    path = "/api/webhooks/stripe",
    tag = "webhooks",
    params(("Stripe-Signature" = String, Header, description = "`t=…,v1=…`: HMAC-SHA256 of `t.body`, at most 300 s old")),
    request_body(content = Object, content_type = "application/json", description = "Stripe's event"),
    responses(
        (status = 200, description = "Received; also what is not about a payment of ours", body = Answer),
        (status = 400, description = "INVALID_SIGNATURE, MALFORMED_BODY", body = Problem),
        (status = 503, description = "SERVICE_UNAVAILABLE: send it again", body = Problem),
    )
)]
pub(super) async fn stripe_webhook(
    State(app): State<AppState>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Answer>, ApiError> {
    let header = headers.get("stripe-signature").and_then(|value| value.to_str().ok());
    app.webhook_secrets
        .verify(header, &body, app.till.ledger().now())
        .map_err(|error| ApiError::new(ErrorCode::InvalidSignature, error.to_string()))?;
    let notice = read_notice(&body)
        .map_err(|error| ApiError::new(ErrorCode::MalformedBody, "Body is not a JSON object").because(error))?;
    app.till.hear(&notice).await?;
    Ok(Json(Answer { received: true }))
}
