//! `POST /api/payments`

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use common::auth::{Caller, Scoped, scope};
use common::http::idempotent::{self, Keyed, once};
use common::http::{ApiError, Checks, Json};
use common::idempotency::KeptAnswer;
use common::telemetry::about_order;
use contracts::calls::{OrderStatus, OrderSummary, PaymentMethod};
use contracts::limits::MAX_METADATA_BYTES;
use contracts::{ErrorCode, Money, OrderId, Problem, UserId};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::view::{PROVIDER, PaymentView};
use crate::app::AppState;
use crate::domain::{Fact, NewPayment};
use crate::error::Error;
use crate::orders::terms;
use crate::till::{Once, Opened};

const LEAST_AMOUNT: Money = Money::from_cents(1);
const DESCRIPTION_CHARS: usize = 500;
const CURRENCY_CHARS: usize = 10;

#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = NewPayment)]
pub(super) struct Body {
    /// The order that is paid.
    #[schema(required)]
    order_id: Option<OrderId>,
    /// The order's owner.
    #[schema(required)]
    user_id: Option<UserId>,
    /// What the order still owes.
    #[schema(required)]
    amount: Option<Money>,
    /// The shop's currency, if it is named at all.
    currency: Option<String>,
    #[schema(required)]
    method: Option<PaymentMethod>,
    /// `stripe`.
    #[schema(required, example = "stripe")]
    provider: Option<String>,
    #[schema(max_length = 500)]
    description: Option<String>,
    /// Any JSON object; it is kept as it is and not passed on.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
}

/// What was begun.
#[derive(Serialize, ToSchema)]
#[schema(as = BegunPayment)]
pub(super) struct Answer {
    payment: PaymentView,
    /// With it the customer's browser confirms the payment at the provider. It is told once.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    /// Where the customer's browser has to go.
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect_url: Option<String>,
    /// Whether the customer has to do something before the money is taken.
    requires_action: bool,
}

/// Begins the payment of what an order owes. A payment that only waits for the customer is cancelled and replaced.
#[utoipa::path(
    post,
    path = "/api/payments",
    tag = "payments",
    security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 characters; kept for 24 hours")),
    request_body = Body,
    responses(
        (status = 201, description = "Begun; the customer pays it with the client secret", body = Answer),
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
    caller: Scoped<scope::PaymentsCreate>,
    request: Keyed<Json<Body>>,
) -> Result<Response, ApiError> {
    let caller = caller.into_inner();
    let keyed = request.request(&caller);
    let body = request.input.0;
    if let Some(order) = body.order_id {
        about_order(order);
    }
    // All else comes after the key, so that a replay does not depend on it.
    once(&app.keys, keyed, async |turn| {
        let (order_id, request) = check(body, &app.currency)?;
        let order = payable_order(&app, &caller, order_id, &request).await?;
        let kept = |opened: &Opened| kept(opened).ok();
        let opened = app.till.open(order_id, &terms(&order), &request, Once::new(turn.as_ref(), &kept)).await?;
        self::kept(&opened)
    })
    .await
}

/// Returns the order if this caller may make this payment of it.
async fn payable_order(
    app: &AppState,
    caller: &Caller,
    order_id: OrderId,
    request: &NewPayment,
) -> Result<OrderSummary, ApiError> {
    if !caller.may_act_for(request.user_id) {
        return Err(ApiError::new(ErrorCode::Forbidden, "A payment can only be made for oneself"));
    }
    if request.currency != *app.currency {
        return Err(Error::CurrencyMismatch(app.currency.to_string()).into());
    }
    let order = app.orders.find_for(order_id, caller).await?;
    if !caller.may_act_for(order.user_id) {
        return Err(Error::OrderNotFound.into());
    }
    if order.user_id != request.user_id {
        let mut checks = Checks::new();
        checks.fail("user_id", "must be the order's owner");
        return checks.finish(None);
    }
    if order.currency != request.currency {
        return Err(Error::CurrencyMismatch(order.currency).into());
    }
    if order.status == OrderStatus::Cancelled {
        return Err(Error::Refused(crate::domain::Refusal::OrderCancelled).into());
    }
    Ok(order)
}

/// The answer to whoever began this payment.
fn kept(opened: &Opened) -> Result<KeptAnswer, ApiError> {
    idempotent::answer(StatusCode::CREATED, None, &answer(opened.clone()))
}

fn check(body: Body, currency: &str) -> Result<(OrderId, NewPayment), ApiError> {
    let mut checks = Checks::new();
    let order_id = checks.required("order_id", body.order_id);
    let user_id = checks.required("user_id", body.user_id);
    let amount = checks.required("amount", body.amount);
    if amount.is_some_and(|amount| amount < LEAST_AMOUNT) {
        checks.fail("amount", format!("must be at least {LEAST_AMOUNT}"));
    }
    let method = checks.required("method", body.method);
    let provider = checks.required("provider", body.provider);
    if provider.is_some_and(|provider| provider != PROVIDER) {
        checks.fail("provider", format!("must be {PROVIDER}"));
    }
    let description = checks.optional_text("description", body.description, DESCRIPTION_CHARS);
    let metadata = checks.json_object("metadata", body.metadata, MAX_METADATA_BYTES);
    let currency = checks
        .optional_text("currency", body.currency, CURRENCY_CHARS)
        .unwrap_or_else(|| currency.to_owned())
        .to_ascii_uppercase();
    let checked = || {
        let request =
            NewPayment { user_id: user_id?, amount: amount?, currency, method: method?, description, metadata };
        Some((order_id?, request))
    };
    let checked = checked();
    checks.finish(checked)
}

fn answer(opened: Opened) -> Answer {
    let Opened { payment, intent } = opened;
    Answer {
        requires_action: matches!(intent.seen().fact, Fact::Waiting) && payment.state.is_open(),
        redirect_url: intent.redirect_url(),
        client_secret: intent.client_secret.map(|secret| secret.expose_secret().to_owned()),
        payment: payment.into(),
    }
}
