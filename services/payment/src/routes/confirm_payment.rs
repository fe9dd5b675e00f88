//! `PUT /api/payments/{id}/confirm`

use axum::extract::State;
use common::http::{AdminOr, scope};
use common::http::{ApiError, Json, Path, Validator};
use contracts::{PaymentId, Problem};
use serde::Deserialize;
use utoipa::ToSchema;

use super::response::PaymentResponse;
use crate::state::AppState;

const MAX_TRANSACTION_CHARS: usize = 255;

/// Request body.
#[derive(Deserialize, ToSchema)]
#[schema(as = Confirmation)]
pub(super) struct ConfirmPaymentRequest {
    /// Transaction of the payment made elsewhere. It need not be unique.
    #[schema(required, min_length = 1, max_length = 255)]
    provider_transaction_id: Option<String>,
}

/// Completes a payment made outside the provider. Its intent is cancelled, so that nothing is captured twice.
#[utoipa::path(
    put,
    path = "/api/payments/{id}/confirm",
    tag = "payments",
    security(("bearer" = [])),
    params(("id" = PaymentId, Path)),
    request_body = ConfirmPaymentRequest,
    responses(
        (status = 200, description = "Completed now, or with the same transaction before", body = PaymentResponse),
        (status = 400, description = "VALIDATION_FAILED, MALFORMED_BODY", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN, INSUFFICIENT_SCOPE: only an admin or a service with payments:confirm", body = Problem),
        (status = 404, description = "PAYMENT_NOT_FOUND", body = Problem),
        (status = 409, description = "PAYMENT_ALREADY_CONFIRMED, PAYMENT_NOT_CONFIRMABLE, PAYMENT_IN_PROGRESS",
            body = Problem),
        (status = 502, description = "PROVIDER_ERROR: it completes once the provider is available", body = Problem),
        (status = 503, description = "PROVIDER_UNAVAILABLE: it completes once the provider is available", body = Problem),
    )
)]
pub(super) async fn confirm_payment(
    State(app): State<AppState>,
    _caller: AdminOr<scope::PaymentsConfirm>,
    Path(id): Path<PaymentId>,
    Json(body): Json<ConfirmPaymentRequest>,
) -> Result<Json<PaymentResponse>, ApiError> {
    let payment = app.payments.confirm(id, &body.validate()?).await?;
    Ok(Json(payment.into()))
}

impl ConfirmPaymentRequest {
    fn validate(self) -> Result<String, ApiError> {
        let mut checks = Validator::new();
        let transaction =
            checks.text("provider_transaction_id", self.provider_transaction_id, 1..=MAX_TRANSACTION_CHARS);
        checks.finish(transaction)
    }
}
