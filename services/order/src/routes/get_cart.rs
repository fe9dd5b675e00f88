//! `GET /api/carts/{id}`

use axum::extract::State;
use common::http::{ApiError, CallerIfAny, Path};
use contracts::{CartId, Problem};

use super::cart_response::CartResponse;
use crate::state::AppState;

/// Returns a cart at today's prices. The id of a merged cart leads its owner to the surviving cart.
#[utoipa::path(
    get,
    path = "/api/carts/{id}",
    tag = "carts",
    params(("id" = CartId, Path)),
    responses(
        (status = 200, body = CartResponse),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED: invalid token", body = Problem),
        (status = 404, description = "CART_NOT_FOUND, also for a cart of another person", body = Problem),
        (status = 503, description = "SERVICE_UNAVAILABLE, with Retry-After", body = Problem),
    )
)]
pub(super) async fn get_cart(
    State(app): State<AppState>,
    CallerIfAny(caller): CallerIfAny,
    Path(id): Path<CartId>,
) -> Result<CartResponse, ApiError> {
    let cart = app.carts.get(caller.and_then(|caller| caller.user_id), id).await?;
    Ok(CartResponse::new(cart, &app.currency))
}
