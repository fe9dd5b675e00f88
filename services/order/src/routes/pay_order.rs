//! `POST /api/orders/{id}/payments`

use axum::extract::State;
use axum::response::Response;
use common::http::idempotent::Idempotent;
use common::http::{ApiError, Json422, Path, Validator};
use common::http::{UserOr, scope};
use common::telemetry::record_order_id;
use contracts::api::PaymentMethod;
use contracts::{Money, OrderId, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::response::forward_response;
use crate::service::PaymentRequest;
use crate::state::AppState;

const MAX_PROVIDER_CHARS: usize = 50;
const MAX_CURRENCY_CHARS: usize = 10;

/// Payment of an order.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = NewOrderPayment)]
pub(super) struct PayOrderRequest {
    #[schema(required)]
    payment_method: Option<PaymentMethod>,
    /// Payment provider, by default `stripe`.
    payment_provider: Option<String>,
    /// Amount, by default the amount due.
    amount: Option<Money>,
    /// Currency, by default the currency of the order.
    currency: Option<String>,
}

/// Starts a payment of the amount due and forwards the response of the payment service.
#[utoipa::path(
    post,
    path = "/api/orders/{id}/payments",
    tag = "orders",
    security(("bearer" = [])),
    params(
        ("id" = OrderId, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "Forwarded to the payment service"),
    ),
    request_body = PayOrderRequest,
    responses(
        (status = 201, description = "Response of POST /api/payments", body = Object),
        (status = 400, description = "MALFORMED_BODY", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "INSUFFICIENT_SCOPE", body = Problem),
        (status = 404, description = "ORDER_NOT_FOUND, also for an order of another customer", body = Problem),
        (status = 409, description = "AMOUNT_MISMATCH, ORDER_NOT_PAYABLE, PAYMENT_IN_PROGRESS", body = Problem),
        (status = 422, description = "VALIDATION_FAILED, CURRENCY_MISMATCH, PAYMENT_METHOD_UNAVAILABLE", body = Problem),
        (status = 502, description = "PROVIDER_ERROR", body = Problem),
        (status = 503, description = "PROVIDER_UNAVAILABLE, SERVICE_UNAVAILABLE, with Retry-After", body = Problem),
    )
)]
pub(super) async fn pay_order(
    State(app): State<AppState>,
    caller: UserOr<scope::PaymentsCreate>,
    Path(id): Path<OrderId>,
    request: Idempotent<Json422<PayOrderRequest>>,
) -> Result<Response, ApiError> {
    let caller = caller.into_inner();
    record_order_id(id);
    let idempotency_key = request.key().map(str::to_owned);
    let payment = request.input.0.into_payment()?;
    forward_response(&app.payments.start(&caller, id, payment, idempotency_key.as_deref()).await?)
}

impl PayOrderRequest {
    fn into_payment(self) -> Result<PaymentRequest, ApiError> {
        let mut checks = Validator::unprocessable();
        let method = checks.required("payment_method", self.payment_method);
        let provider = checks.optional_text("payment_provider", self.payment_provider, MAX_PROVIDER_CHARS);
        let currency = checks.optional_text("currency", self.currency, MAX_CURRENCY_CHARS);
        let method = checks.finish(method)?;
        Ok(PaymentRequest { method, provider, amount: self.amount, currency })
    }
}
