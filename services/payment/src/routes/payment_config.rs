//! `GET /api/payments/config`

use axum::extract::State;
use common::http::Json;
use contracts::api::{PaymentMethod, PaymentMode};
use serde::Serialize;
use utoipa::ToSchema;

use super::response::PROVIDER;
use crate::state::AppState;

/// Settings with which a browser pays.
#[derive(Serialize, ToSchema)]
#[schema(as = PaymentConfig)]
pub(super) struct PaymentConfigResponse {
    provider: &'static str,
    /// Provider's key for browsers; `null` if it is not configured.
    publishable_key: Option<String>,
    mode: PaymentMode,
    /// Address of the sandbox for browsers; `null` outside the sandbox mode.
    hosted_url: Option<String>,
    /// The shop's currency (ISO 4217).
    currency: String,
    methods: &'static [PaymentMethod],
}

/// Returns the settings with which a browser pays.
#[utoipa::path(
    get,
    path = "/api/payments/config",
    tag = "payments",
    responses((status = 200, body = PaymentConfigResponse))
)]
pub(super) async fn payment_config(State(app): State<AppState>) -> Json<PaymentConfigResponse> {
    let checkout = &app.checkout;
    Json(PaymentConfigResponse {
        provider: PROVIDER,
        publishable_key: checkout.publishable_key.clone(),
        mode: checkout.mode,
        hosted_url: checkout.hosted_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned()),
        currency: app.payments.currency().to_owned(),
        methods: PaymentMethod::ALL,
    })
}
