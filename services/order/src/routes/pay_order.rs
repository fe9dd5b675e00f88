//! `POST /api/orders/{id}/payments`

use axum::extract::State;
use axum::response::Response;
use common::auth::{Scoped, scope};
use common::http::idempotent::Keyed;
use common::http::{ApiError, Checks, Json422, Path};
use common::telemetry::about_order;
use contracts::calls::PaymentMethod;
use contracts::{Money, OrderId, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access;
use super::list_order_payments::passed_on;
use crate::app::AppState;
use crate::domain::Order;
use crate::error::Error;
use crate::peers::NewPayment;

const PROVIDER: &str = "stripe";
const PROVIDER_CHARS: usize = 50;
const CURRENCY_CHARS: usize = 10;

#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = NewOrderPayment)]
pub(super) struct Body {
    #[schema(required)]
    payment_method: Option<PaymentMethod>,
    /// `stripe`, if it is not named.
    payment_provider: Option<String>,
    /// What the order still owes, if it is not named.
    amount: Option<Money>,
    /// The order's currency, if it is not named.
    currency: Option<String>,
}

/// Begins the payment of what an order owes: what the payment service answers is passed on.
#[utoipa::path(
    post,
    path = "/api/orders/{id}/payments",
    tag = "orders",
    security(("bearer" = [])),
    params(
        ("id" = OrderId, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "Passed on to the payment service"),
    ),
    request_body = Body,
    responses(
        (status = 201, description = "What POST /api/payments answers", body = Object),
        (status = 400, description = "MALFORMED_BODY", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "INSUFFICIENT_SCOPE", body = Problem),
        (status = 404, description = "ORDER_NOT_FOUND, also for another person's", body = Problem),
        (status = 409, description = "AMOUNT_MISMATCH, ORDER_NOT_PAYABLE, PAYMENT_IN_PROGRESS", body = Problem),
        (status = 422, description = "VALIDATION_FAILED, CURRENCY_MISMATCH, PAYMENT_METHOD_UNAVAILABLE", body = Problem),
        (status = 502, description = "PROVIDER_ERROR", body = Problem),
        (status = 503, description = "PROVIDER_UNAVAILABLE, SERVICE_UNAVAILABLE, with Retry-After", body = Problem),
    )
)]
pub(super) async fn pay_order(
    State(app): State<AppState>,
    caller: Scoped<scope::PaymentsCreate>,
    Path(id): Path<OrderId>,
    keyed: Keyed<Json422<Body>>,
) -> Result<Response, ApiError> {
    let caller = caller.into_inner();
    about_order(id);
    let key = keyed.key().map(str::to_owned);
    let request = check(keyed.input.0)?;
    let order = access::visible(app.book.find(id).await?, &caller).map_err(Error::from)?;
    let answer = app.payments.begin(&caller.bearer(), &request(&order), key.as_deref()).await?;
    passed_on(&answer)
}

/// What to ask the payment service for, once the order is known.
fn check(body: Body) -> Result<impl FnOnce(&Order) -> NewPayment, ApiError> {
    let mut checks = Checks::unprocessable();
    let method = checks.required("payment_method", body.payment_method);
    let provider = checks.optional_text("payment_provider", body.payment_provider, PROVIDER_CHARS);
    let currency = checks.optional_text("currency", body.currency, CURRENCY_CHARS);
    let method = checks.finish(method)?;
    Ok(move |order: &Order| {
        // Nothing is no amount: of a paid order the whole is asked for, so that the payment service says that it is paid.
        let owed = Some(order.owed()).filter(|owed| !owed.is_zero()).unwrap_or(order.totals.total);
        NewPayment {
            order_id: order.id,
            user_id: order.user_id,
            amount: body.amount.unwrap_or(owed),
            currency: currency.unwrap_or_else(|| order.currency.clone()),
            method,
            provider: provider.unwrap_or_else(|| PROVIDER.to_owned()),
        }
    })
}
