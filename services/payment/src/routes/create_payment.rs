//! `POST /api/payments`

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use common::database::idempotency::StoredResponse;
use common::http::idempotent::{self, Idempotent, run_idempotent};
use common::http::{ApiError, Json, Validator};
use common::http::{UserOr, scope};
use common::telemetry::record_order_id;
use contracts::api::PaymentMethod;
use contracts::limits::MAX_METADATA_BYTES;
use contracts::{Actor, Money, OrderId, Problem, UserId};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::response::{PROVIDER, PaymentResponse};
use crate::domain::{IntentStatus, NewPayment};
use crate::service::{IdempotentOperation, StartedPayment, ToStoredResponse};
use crate::state::AppState;

const MIN_AMOUNT: Money = Money::from_cents(1);
const MAX_DESCRIPTION_CHARS: usize = 500;
const MAX_CURRENCY_CHARS: usize = 10;

/// Request body.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = NewPayment)]
pub(super) struct CreatePaymentRequest {
    /// Order to pay.
    #[schema(required)]
    order_id: Option<OrderId>,
    /// Owner of the order.
    #[schema(required)]
    user_id: Option<UserId>,
    /// Amount that the order still owes.
    #[schema(required)]
    amount: Option<Money>,
    /// The shop's currency; optional.
    currency: Option<String>,
    #[schema(required)]
    method: Option<PaymentMethod>,
    /// Payment provider: `stripe`.
    #[schema(required, example = "stripe")]
    provider: Option<String>,
    #[schema(max_length = 500)]
    description: Option<String>,
    /// Any JSON object. It is stored unchanged and not forwarded.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
}

/// Response body: the started payment.
#[derive(Serialize, ToSchema)]
#[schema(as = BegunPayment)]
pub(super) struct CreatePaymentResponse {
    payment: PaymentResponse,
    /// Secret with which the customer's browser confirms the payment at the provider. It is returned only here.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    /// Page to which the customer's browser is redirected: the one that the provider names, or the sandbox's payment page,
    /// which returns to the query parameter `return_url` that the caller adds.
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect_url: Option<String>,
    /// Set if the customer has to act before the payment is captured.
    requires_action: bool,
}

/// Starts a payment of what an order owes. A payment that waits for the customer is cancelled and replaced.
#[utoipa::path(
    post,
    path = "/api/payments",
    tag = "payments",
    security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 characters; stored for 24 hours")),
    request_body = CreatePaymentRequest,
    responses(
        (status = 201, description = "Started; the customer pays with the client secret", body = CreatePaymentResponse),
        (status = 400, description = "VALIDATION_FAILED, MALFORMED_BODY", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: another person's user_id; INSUFFICIENT_SCOPE: a service without payments:create", body = Problem),
        (status = 404, description = "ORDER_NOT_FOUND", body = Problem),
        (status = 409, description = "AMOUNT_MISMATCH, ORDER_NOT_PAYABLE, PAYMENT_IN_PROGRESS, IDEMPOTENCY_IN_FLIGHT", body = Problem),
        (status = 422, description = "CURRENCY_MISMATCH, PAYMENT_METHOD_UNAVAILABLE, IDEMPOTENCY_MISMATCH", body = Problem),
        (status = 502, description = "PROVIDER_ERROR", body = Problem),
        (status = 503, description = "PROVIDER_UNAVAILABLE, SERVICE_UNAVAILABLE, with Retry-After", body = Problem),
    )
)]
pub(super) async fn create_payment(
    State(app): State<AppState>,
    caller: UserOr<scope::PaymentsCreate>,
    request: Idempotent<Json<CreatePaymentRequest>>,
) -> Result<Response, ApiError> {
    let caller = caller.into_inner();
    let keyed = request.for_caller(&caller);
    let body = request.input.0;
    if let Some(order) = body.order_id {
        record_order_id(order);
    }
    // Validation follows the look-up of the key, so that a replay does not depend on it.
    run_idempotent(&app.keys, keyed, async |lease| {
        let (order, new_payment) = body.validate(app.payments.currency(), caller.actor())?;
        let operation = IdempotentOperation::new(lease.as_ref());
        app.payments.start_payment(&caller, order, &new_payment, operation).await?.to_stored_response()
    })
    .await
}

impl CreatePaymentRequest {
    fn validate(self, default_currency: &str, actor: Actor) -> Result<(OrderId, NewPayment), ApiError> {
        let mut checks = Validator::new();
        let order_id = checks.required("order_id", self.order_id);
        let user_id = checks.required("user_id", self.user_id);
        let amount = checks.required("amount", self.amount);
        if amount.is_some_and(|amount| amount < MIN_AMOUNT) {
            checks.fail("amount", format!("must be at least {MIN_AMOUNT}"));
        }
        let method = checks.required("method", self.method);
        let provider = checks.required("provider", self.provider);
        if provider.is_some_and(|provider| provider != PROVIDER) {
            checks.fail("provider", format!("must be {PROVIDER}"));
        }
        let description = checks.optional_text("description", self.description, MAX_DESCRIPTION_CHARS);
        let metadata = checks.json_object("metadata", self.metadata, MAX_METADATA_BYTES);
        let currency = checks
            .optional_text("currency", self.currency, MAX_CURRENCY_CHARS)
            .unwrap_or_else(|| default_currency.to_owned())
            .to_ascii_uppercase();
        let complete = || {
            let new_payment = NewPayment {
                user_id: user_id?,
                amount: amount?,
                currency,
                method: method?,
                description,
                metadata,
                actor,
            };
            Some((order_id?, new_payment))
        };
        let complete = complete();
        checks.finish(complete)
    }
}

impl ToStoredResponse for StartedPayment {
    fn to_stored_response(&self) -> Result<StoredResponse, ApiError> {
        idempotent::stored_json(StatusCode::CREATED, None, &CreatePaymentResponse::from(self.clone()))
    }
}

impl From<StartedPayment> for CreatePaymentResponse {
    fn from(started: StartedPayment) -> Self {
        let StartedPayment { payment, intent, redirect_url } = started;
        let awaiting_customer = matches!(intent.to_snapshot().status, IntentStatus::AwaitingCustomer);
        Self {
            requires_action: awaiting_customer && payment.state.is_open(),
            redirect_url,
            client_secret: intent.client_secret.map(|secret| secret.expose_secret().to_owned()),
            payment: payment.into(),
        }
    }
}
