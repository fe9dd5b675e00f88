//! `POST /api/orders`

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::TimeDelta;
use common::auth::{Scoped, scope};
use common::http::idempotent::{self, Keyed, once};
use common::http::{ApiError, Checks, Json422};
use common::idempotency::KeptAnswer;
use contracts::event::Line;
use contracts::limits::{MAX_METADATA_BYTES, MAX_ORDER_LINES, MAX_QUANTITY};
use contracts::{ErrorCode, Money, Problem, ProductId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::input::{self, AddressBody, CustomerBody};
use super::view::OrderView;
use crate::app::AppState;
use crate::domain::{self, Draft, Order};

#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = NewOrder)]
pub(super) struct Body {
    /// Who buys: oneself, unless an admin or a service places it.
    #[schema(required)]
    user_id: Option<UserId>,
    /// Lines of the same product are added up.
    #[schema(required, min_items = 1, max_items = 50)]
    items: Option<Vec<LineBody>>,
    #[schema(required)]
    shipping_address: Option<AddressBody>,
    billing_address: Option<AddressBody>,
    #[schema(required)]
    customer_info: Option<CustomerBody>,
    #[schema(max_length = 2000)]
    notes: Option<String>,
    /// Any JSON object of up to 16 KiB; it is kept as it is.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
    /// The total that was shown to the customer; where it is another by now, nothing is placed.
    expected_total: Option<Money>,
}

/// Some pieces of a product. What they cost says the product service alone.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = NewOrderItem)]
struct LineBody {
    #[schema(required)]
    product_id: Option<ProductId>,
    #[schema(required, minimum = 1, maximum = 1000)]
    quantity: Option<i64>,
}

/// Places an order.
#[utoipa::path(
    post,
    path = "/api/orders",
    tag = "orders",
    security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 characters; kept for 24 hours")),
    request_body = Body,
    responses(
        (status = 201, description = "Placed; its stock is reserved", body = OrderView, headers(("Location" = String))),
        (status = 400, description = "PRODUCT_NOT_FOUND, INSUFFICIENT_STOCK with shortages, MALFORMED_BODY", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: another person's user_id; INSUFFICIENT_SCOPE", body = Problem),
        (status = 404, description = "USER_NOT_FOUND", body = Problem),
        (
            status = 409,
            description = "TOTAL_CHANGED with the new totals, TOO_MANY_UNPAID_ORDERS, TOO_MANY_UNPAID_PIECES, IDEMPOTENCY_IN_FLIGHT",
            body = Problem,
        ),
        (status = 422, description = "VALIDATION_FAILED, TOTAL_TOO_LARGE, IDEMPOTENCY_MISMATCH", body = Problem),
        (status = 503, description = "SERVICE_UNAVAILABLE, with Retry-After", body = Problem),
    )
)]
pub(super) async fn create_order(
    State(app): State<AppState>,
    caller: Scoped<scope::OrdersPlace>,
    request: Keyed<Json422<Body>>,
) -> Result<Response, ApiError> {
    let caller = caller.into_inner();
    let keyed = request.request(&caller);
    let body = request.input.0;
    // All else comes after the key, so that a replay does not depend on it.
    once(&app.keys, keyed, async |turn| {
        let draft = check(body)?;
        if !caller.may_act_for(draft.user_id) {
            return Err(ApiError::new(ErrorCode::Forbidden, "An order can only be placed for oneself"));
        }
        app.placing.place(&caller, draft, turn.as_ref()).await
    })
    .await
}

/// The answer to whoever placed this order.
pub(crate) fn placed(order: &Order, payment_deadline: TimeDelta) -> Result<KeptAnswer, ApiError> {
    let location = format!("/api/orders/{}", order.id);
    let view = OrderView::new(order.clone(), payment_deadline)?;
    idempotent::answer(StatusCode::CREATED, Some(location), &view)
}

fn check(body: Body) -> Result<Draft, ApiError> {
    let mut checks = Checks::unprocessable();
    let user_id = checks.required("user_id", body.user_id);
    let lines = lines(&mut checks, body.items);
    let shipping_address = checks.required("shipping_address", body.shipping_address);
    let shipping_address = shipping_address.and_then(|body| input::address(&mut checks, "shipping_address", body));
    let billing_address = body.billing_address.and_then(|body| input::address(&mut checks, "billing_address", body));
    let customer_info = checks.required("customer_info", body.customer_info);
    let customer_info = customer_info.and_then(|body| input::customer(&mut checks, body));
    let notes = input::notes(&mut checks, body.notes);
    let metadata = checks.json_object("metadata", body.metadata, MAX_METADATA_BYTES);
    let draft = || {
        Some(Draft {
            user_id: user_id?,
            lines: lines?,
            customer_info: customer_info?,
            shipping_address: shipping_address?,
            billing_address,
            notes,
            metadata,
            expected_total: body.expected_total,
        })
    };
    let draft = draft();
    checks.finish(draft)
}

fn lines(checks: &mut Checks, items: Option<Vec<LineBody>>) -> Option<Vec<Line>> {
    let items = checks.required("items", items)?;
    if !(1..=MAX_ORDER_LINES).contains(&items.len()) {
        checks.fail("items", format!("must have from 1 to {MAX_ORDER_LINES} lines"));
        return None;
    }
    let line = |(index, item): (usize, LineBody)| {
        let product_id = checks.required(format!("items[{index}].product_id"), item.product_id);
        let quantity = checks.integer(format!("items[{index}].quantity"), item.quantity, 1..=MAX_QUANTITY);
        Some(Line { product_id: product_id?, quantity: quantity? })
    };
    // All lines are looked at before the first that is wrong ends it.
    let lines: Vec<_> = items.into_iter().enumerate().map(line).collect();
    let lines = lines.into_iter().collect::<Option<Vec<_>>>()?;
    let merged = domain::merge(&lines).map_err(|domain::Overfull { line }| {
        let field = format!("items[{line}].quantity");
        checks.fail(field, format!("must come to at most {MAX_QUANTITY} for a product"));
    });
    merged.ok()
}
