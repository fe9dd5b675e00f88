//! `PUT /api/payments/{id}/confirm`

use axum::extract::State;
use common::auth::{AdminOr, scope};
use common::http::{ApiError, Checks, Json, Path};
use contracts::{PaymentId, Problem};
use serde::Deserialize;
use utoipa::ToSchema;

use super::view::PaymentView;
use crate::app::AppState;

const TRANSACTION_CHARS: usize = 255;

#[derive(Deserialize, ToSchema)]
#[schema(as = Confirmation)]
pub(super) struct Body {
    /// The transaction by which it was paid elsewhere. It need not be unique.
    #[schema(required, min_length = 1, max_length = 255)]
    provider_transaction_id: Option<String>,
}

/// Completes a payment that was made outside the provider: its intent is cancelled, and money never comes twice.
#[utoipa::path(
    put,
    path = "/api/payments/{id}/confirm",
    tag = "payments",
    security(("bearer" = [])),
    params(("id" = PaymentId, Path)),
    request_body = Body,
    responses(
        (status = 200, description = "Completed, or was by the same transaction before", body = PaymentView),
        (status = 400, description = "VALIDATION_FAILED, MALFORMED_BODY", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN, INSUFFICIENT_SCOPE: only an admin or a service with payments:confirm", body = Problem),
        (status = 404, description = "PAYMENT_NOT_FOUND", body = Problem),
        (status = 409, description = "PAYMENT_ALREADY_CONFIRMED, PAYMENT_NOT_CONFIRMABLE, PAYMENT_IN_PROGRESS",
            body = Problem),
        (status = 502, description = "PROVIDER_ERROR: it completes once the provider can be asked", body = Problem),
        (status = 503, description = "PROVIDER_UNAVAILABLE: it completes once the provider can be asked", body = Problem),
    )
)]
pub(super) async fn confirm_payment(
    State(app): State<AppState>,
    _caller: AdminOr<scope::PaymentsConfirm>,
    Path(id): Path<PaymentId>,
    Json(body): Json<Body>,
) -> Result<Json<PaymentView>, ApiError> {
    let mut checks = Checks::new();
    let transaction = checks.text("provider_transaction_id", body.provider_transaction_id, 1..=TRANSACTION_CHARS);
    let transaction = checks.finish(transaction)?;
    let payment = app.till.confirm(id, &transaction).await?;
    app.orders.wait_until_shown(payment.order_id, payment.id).await;
    Ok(Json(payment.into()))
}
