//! `POST /api/orders`

use axum::extract::State;
use axum::response::Response;
use common::http::idempotent::{Idempotent, run_idempotent};
use common::http::{ApiError, Json422, Validator};
use common::http::{UserOr, scope};
use contracts::event::Line;
use contracts::limits::{MAX_METADATA_BYTES, MAX_ORDER_LINES, MAX_QUANTITY};
use contracts::{CartId, ErrorCode, Money, Problem, ProductId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::request::{self, AddressRequest, CustomerRequest};
use super::response::{OrderResponse, created_response};
use crate::domain::{CartVersion, OrderDraft, QuantityLimitExceeded, merge_lines};
use crate::service::CommitOutcome;
use crate::state::AppState;

/// Order to place.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = NewOrder)]
pub(super) struct CreateOrderRequest {
    /// Customer: the caller, or any user for an admin or a service.
    #[schema(required)]
    user_id: Option<UserId>,
    /// Order lines; lines of the same product are merged. Required unless a cart is ordered.
    #[schema(min_items = 1, max_items = 50)]
    items: Option<Vec<LineRequest>>,
    /// Cart to order instead of `items`, which is emptied. Requires `cart_version` and `expected_total`.
    // Left out of the parsed form where absent, so that requests without a cart keep their fingerprints.
    #[serde(skip_serializing_if = "Option::is_none")]
    cart_id: Option<CartId>,
    /// Version of the cart that was shown to the customer. Another version is rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    cart_version: Option<i64>,
    #[schema(required)]
    shipping_address: Option<AddressRequest>,
    billing_address: Option<AddressRequest>,
    #[schema(required)]
    customer_info: Option<CustomerRequest>,
    #[schema(max_length = 2000)]
    notes: Option<String>,
    /// Client-defined JSON object of up to 16 KiB, stored unchanged.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
    /// Total shown to the customer. An order with another total is rejected. Required with a cart.
    expected_total: Option<Money>,
}

/// Quantity of a product. The price comes from the product service only.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = NewOrderItem)]
struct LineRequest {
    #[schema(required)]
    product_id: Option<ProductId>,
    #[schema(required, minimum = 1, maximum = 1000)]
    quantity: Option<i64>,
}

/// Places an order of items or of a cart. Customers only order a cart, and for themselves; the version of the cart is checked
/// before its lines.
#[utoipa::path(
    post,
    path = "/api/orders",
    tag = "orders",
    security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 characters; stored for 24 hours")),
    request_body = CreateOrderRequest,
    responses(
        (status = 201, description = "Order placed, stock reserved", body = OrderResponse, headers(("Location" = String))),
        (status = 400, description = "PRODUCT_NOT_FOUND, INSUFFICIENT_STOCK with shortages, MALFORMED_BODY", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (
            status = 403,
            description = "FORBIDDEN: user_id of another customer, or a cart for another customer; INSUFFICIENT_SCOPE",
            body = Problem,
        ),
        (
            status = 404,
            description = "USER_NOT_FOUND; CART_NOT_FOUND, also for a cart of another person",
            body = Problem,
        ),
        (
            status = 409,
            description = "CART_CHANGED, CART_EMPTY, TOTAL_CHANGED with the new totals, TOO_MANY_UNPAID_ORDERS, \
                           TOO_MANY_UNPAID_PIECES, IDEMPOTENCY_IN_FLIGHT",
            body = Problem,
        ),
        (status = 422, description = "VALIDATION_FAILED, TOTAL_TOO_LARGE, IDEMPOTENCY_MISMATCH", body = Problem),
        (status = 503, description = "SERVICE_UNAVAILABLE, with Retry-After", body = Problem),
    )
)]
pub(super) async fn create_order(
    State(app): State<AppState>,
    caller: UserOr<scope::OrdersPlace>,
    request: Idempotent<Json422<CreateOrderRequest>>,
) -> Result<Response, ApiError> {
    let caller = caller.into_inner();
    let idempotent_request = request.for_caller(&caller);
    let body = request.input.0;
    // Validation follows the lookup of the key, so that a replay does not depend on it.
    run_idempotent(&app.idempotency_keys, idempotent_request, async |lease| {
        let draft = body.into_draft()?;
        if !caller.can_act_for(draft.user_id) {
            return Err(ApiError::new(ErrorCode::Forbidden, "Orders can only be placed for the caller's own account"));
        }
        if draft.cart.is_some() && caller.user_id != Some(draft.user_id) {
            return Err(ApiError::new(ErrorCode::Forbidden, "A cart can only be ordered for the caller's own account"));
        }
        let mut prepared = app.place_order.prepare(&caller, draft, lease.as_ref()).await?;
        // The response is stored in the order's transaction, so a replaced order number needs a new response.
        loop {
            let response = created_response(prepared.order(), app.payment_deadline)?;
            let completion = lease.as_ref().map(|lease| lease.complete(response.clone()));
            if app.place_order.commit(&mut prepared, completion).await? == CommitOutcome::Committed {
                return Ok(response);
            }
        }
    })
    .await
}

impl CreateOrderRequest {
    fn into_draft(self) -> Result<OrderDraft, ApiError> {
        let mut checks = Validator::unprocessable();
        let user_id = checks.required("user_id", self.user_id);
        let cart = cart(&mut checks, &self);
        let lines = if cart.is_none() { lines(&mut checks, self.items) } else { Some(Vec::new()) };
        let shipping_address = checks.required("shipping_address", self.shipping_address);
        let shipping_address =
            shipping_address.and_then(|body| request::address(&mut checks, "shipping_address", body));
        let billing_address =
            self.billing_address.and_then(|body| request::address(&mut checks, "billing_address", body));
        let customer_info = checks.required("customer_info", self.customer_info);
        let customer_info = customer_info.and_then(|body| request::customer(&mut checks, body));
        let notes = request::notes(&mut checks, self.notes);
        let metadata = checks.json_object("metadata", self.metadata, MAX_METADATA_BYTES);
        let draft = || {
            Some(OrderDraft {
                user_id: user_id?,
                lines: lines?,
                cart: cart.flatten(),
                customer_info: customer_info?,
                shipping_address: shipping_address?,
                billing_address,
                notes,
                metadata,
                expected_total: self.expected_total,
            })
        };
        let draft = draft();
        checks.finish(draft)
    }
}

/// Validates the reference to a cart; `None` if the request does not name one.
fn cart(checks: &mut Validator, body: &CreateOrderRequest) -> Option<Option<CartVersion>> {
    if body.cart_id.is_none() && body.cart_version.is_none() {
        return None;
    }
    if body.items.is_some() {
        checks.fail("items", "must not be combined with a cart");
    }
    let id = checks.required("cart_id", body.cart_id);
    let version = checks.integer("cart_version", body.cart_version, 1..=i64::MAX);
    checks.required("expected_total", body.expected_total);
    Some(id.zip(version).map(|(id, version)| CartVersion { id, version }))
}

fn lines(checks: &mut Validator, items: Option<Vec<LineRequest>>) -> Option<Vec<Line>> {
    let items = checks.required("items", items)?;
    if !(1..=MAX_ORDER_LINES).contains(&items.len()) {
        checks.fail("items", format!("must have from 1 to {MAX_ORDER_LINES} lines"));
        return None;
    }
    let line = |(index, item): (usize, LineRequest)| {
        let product_id = checks.required(format!("items[{index}].product_id"), item.product_id);
        let quantity = checks.integer(format!("items[{index}].quantity"), item.quantity, 1..=MAX_QUANTITY);
        Some(Line { product_id: product_id?, quantity: quantity? })
    };
    // Every line is validated before the first invalid one ends the validation, so that all are reported.
    let lines: Vec<_> = items.into_iter().enumerate().map(line).collect();
    let lines = lines.into_iter().collect::<Option<Vec<_>>>()?;
    let merged = merge_lines(&lines).map_err(|QuantityLimitExceeded { line }| {
        let field = format!("items[{line}].quantity");
        checks.fail(field, format!("must be at most {MAX_QUANTITY} in total per product"));
    });
    merged.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fingerprints of requests that a version without carts stored stay valid.
    #[test]
    fn request_without_a_cart_has_no_members_of_carts() {
        let parsed =
            |body: &str| serde_json::to_value(serde_json::from_str::<CreateOrderRequest>(body).unwrap()).unwrap();
        let names = |body: &str| parsed(body).as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let mut expected = vec![
            "user_id",
            "items",
            "shipping_address",
            "billing_address",
            "customer_info",
            "notes",
            "metadata",
            "expected_total",
        ];
        expected.sort_unstable();
        let mut without = names("{}");
        without.sort_unstable();
        assert_eq!(without, expected);
        assert_eq!(names(r#"{"cart_version": 7}"#).len(), expected.len() + 1);
    }
}
