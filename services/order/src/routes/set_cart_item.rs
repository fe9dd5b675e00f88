//! `PUT /api/carts/{id}/items/{product_id}`

use std::ops::RangeInclusive;

use axum::extract::State;
use common::http::{ApiError, CallerIfAny, Json422, Path, Validator};
use contracts::limits::MAX_QUANTITY;
use contracts::{CartId, Problem, ProductId};
use serde::Deserialize;
use utoipa::ToSchema;

use super::cart_response::CartResponse;
use crate::state::AppState;

const QUANTITY: RangeInclusive<i64> = 0..=MAX_QUANTITY;

/// Quantity of a product in a cart.
#[derive(Deserialize, ToSchema)]
#[schema(as = CartItemQuantity)]
pub(super) struct SetCartItemRequest {
    /// New quantity; 0 removes the product.
    #[schema(required, minimum = 0, maximum = 1000)]
    quantity: Option<i64>,
}

/// Sets the quantity of a product in a cart; 0 removes it. The version stays the same if the quantity does.
#[utoipa::path(
    put,
    path = "/api/carts/{id}/items/{product_id}",
    tag = "carts",
    params(("id" = CartId, Path), ("product_id" = ProductId, Path)),
    request_body = SetCartItemRequest,
    responses(
        (status = 200, body = CartResponse),
        (status = 400, description = "PRODUCT_NOT_FOUND, MALFORMED_BODY, VALIDATION_FAILED in the path", body = Problem),
        (status = 401, description = "UNAUTHENTICATED: invalid token", body = Problem),
        (status = 404, description = "CART_NOT_FOUND, also for a cart of another person", body = Problem),
        (status = 409, description = "CONFLICT: the cart is changed by many requests", body = Problem),
        (status = 422, description = "VALIDATION_FAILED, also for a 51st line; TOTAL_TOO_LARGE", body = Problem),
        (status = 503, description = "SERVICE_UNAVAILABLE, with Retry-After", body = Problem),
    )
)]
pub(super) async fn set_cart_item(
    State(app): State<AppState>,
    CallerIfAny(caller): CallerIfAny,
    Path((id, product)): Path<(CartId, ProductId)>,
    Json422(body): Json422<SetCartItemRequest>,
) -> Result<CartResponse, ApiError> {
    let mut checks = Validator::unprocessable();
    let quantity = checks.integer("quantity", body.quantity, QUANTITY);
    let quantity = checks.finish(quantity)?;
    let person = caller.and_then(|caller| caller.user_id);
    let cart = app.carts.set_quantity(person, id, product, quantity).await?;
    Ok(CartResponse::new(cart, &app.currency))
}
