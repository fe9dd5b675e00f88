//! `GET /api/carts/mine`

use axum::extract::State;
use common::http::{ApiError, SignedInUser};
use contracts::Problem;

use super::cart_response::CartResponse;
use crate::state::AppState;

/// Returns the caller's cart at today's prices.
#[utoipa::path(
    get,
    path = "/api/carts/mine",
    tag = "carts",
    security(("bearer" = [])),
    responses(
        (status = 200, body = CartResponse),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: persons only", body = Problem),
        (status = 404, description = "CART_NOT_FOUND: the caller has no cart", body = Problem),
        (status = 503, description = "SERVICE_UNAVAILABLE, with Retry-After", body = Problem),
    )
)]
pub(super) async fn get_my_cart(State(app): State<AppState>, caller: SignedInUser) -> Result<CartResponse, ApiError> {
    let SignedInUser(_, user) = caller;
    Ok(CartResponse::new(app.carts.get_by_user(user).await?, &app.currency))
}
