//! `POST /api/payments/{id}/refund`

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use common::auth::{AdminOr, scope};
use common::http::idempotent::{self, Keyed, once};
use common::http::{ApiError, Checks, OptionalJson, Path};
use common::idempotency::KeptAnswer;
use contracts::{Money, PaymentId, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::view::{PaymentView, actor};
use crate::app::AppState;
use crate::domain::{Actor, NewRefund, Payment};
use crate::till::Once;

const REASON_CHARS: usize = 500;

#[derive(Default, Deserialize, Serialize, ToSchema)]
#[schema(as = NewRefund)]
pub(super) struct Body {
    /// How much goes back; the rest if it is left out.
    amount: Option<Money>,
    #[schema(max_length = 500)]
    reason: Option<String>,
}

/// Gives money of a payment back. Where the provider does not answer now, the refund is shown as pending and is carried
/// out later. For a payment that was confirmed as made elsewhere this says that people have paid it back.
#[utoipa::path(
    post,
    path = "/api/payments/{id}/refund",
    tag = "payments",
    security(("bearer" = [])),
    params(
        ("id" = PaymentId, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 characters; kept for 24 hours"),
    ),
    request_body = Option<Body>,
    responses(
        (status = 200, body = PaymentView),
        (status = 400, description = "NOT_REFUNDABLE, REFUND_TOO_LARGE, VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN, INSUFFICIENT_SCOPE: only an admin or a service with payments:refund", body = Problem),
        (status = 404, description = "PAYMENT_NOT_FOUND", body = Problem),
        (status = 409, description = "IDEMPOTENCY_IN_FLIGHT", body = Problem),
        (status = 422, description = "IDEMPOTENCY_MISMATCH", body = Problem),
        (status = 502, description = "PROVIDER_ERROR: the provider refused, the amount is free again", body = Problem),
    )
)]
pub(super) async fn refund_payment(
    State(app): State<AppState>,
    caller: AdminOr<scope::PaymentsRefund>,
    Path(id): Path<PaymentId>,
    request: Keyed<OptionalJson<Body>>,
) -> Result<Response, ApiError> {
    let caller = caller.into_inner();
    let keyed = request.request(&caller);
    let body = request.input.0.unwrap_or_default();
    // All else comes after the key, so that a replay does not depend on it.
    once(&app.keys, keyed, async |turn| {
        let request = check(body, actor(&caller))?;
        let kept = |payment: &Payment| kept(payment).ok();
        let payment = app.till.refund(id, request, Once::new(turn.as_ref(), &kept)).await?;
        self::kept(&payment)
    })
    .await
}

fn check(body: Body, actor: Actor) -> Result<NewRefund, ApiError> {
    let mut checks = Checks::new();
    if body.amount.is_some_and(Money::is_zero) {
        checks.fail("amount", "must be at least 0.01");
    }
    let reason = checks.optional_text("reason", body.reason, REASON_CHARS);
    checks.finish(Some(NewRefund { amount: body.amount, reason, actor: Some(actor) }))
}

/// The answer to whoever asked for a refund of this payment.
fn kept(payment: &Payment) -> Result<KeptAnswer, ApiError> {
    idempotent::answer(StatusCode::OK, None, &PaymentView::from(payment.clone()))
}
