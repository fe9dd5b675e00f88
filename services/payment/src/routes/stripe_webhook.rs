//! `POST /api/webhooks/stripe`

use axum::extract::State;
use axum::http::HeaderMap;
use bytes::Bytes;
use common::http::{ApiError, Json};
use contracts::Problem;
use serde::Serialize;
use utoipa::ToSchema;

use crate::state::AppState;

/// Response body: the acknowledgement.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookReceived)]
pub(super) struct StripeWebhookResponse {
    received: bool,
}

/// Receives Stripe webhook events. Handling is idempotent and independent of delivery order: an event is a hint, and the
/// object that it names is fetched from Stripe. Events of other kinds or shapes are ignored.
#[utoipa::path(
    post,
    path = "/api/webhooks/stripe",
    tag = "webhooks",
    params(("Stripe-Signature" = String, Header, description = "`t=…,v1=…`: HMAC-SHA256 of `t.body`, at most 300 s old")),
    request_body(content = Object, content_type = "application/json", description = "Stripe's event"),
    responses(
        (status = 200, description = "Received, or ignored", body = StripeWebhookResponse),
        (status = 400, description = "INVALID_SIGNATURE, MALFORMED_BODY", body = Problem),
        (status = 503, description = "SERVICE_UNAVAILABLE: send it again", body = Problem),
    )
)]
pub(super) async fn stripe_webhook(
    State(app): State<AppState>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<StripeWebhookResponse>, ApiError> {
    let signature = headers.get("stripe-signature").and_then(|value| value.to_str().ok());
    app.payments.handle_webhook(signature, &body).await?;
    Ok(Json(StripeWebhookResponse { received: true }))
}
