//! `POST /api/carts/{id}/claim`

use axum::extract::State;
use common::http::{ApiError, Path, SignedInUser};
use contracts::{CartId, Problem};

use super::cart_response::CartResponse;
use crate::state::AppState;

/// Binds an unclaimed cart to the caller. If the caller has a cart, the lines are merged into that: the larger quantity
/// wins, and `dropped` has the lines beyond 50. Repeated, it returns the same cart.
#[utoipa::path(
    post,
    path = "/api/carts/{id}/claim",
    tag = "carts",
    security(("bearer" = [])),
    params(("id" = CartId, Path)),
    responses(
        (status = 200, description = "Surviving cart", body = CartResponse),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: persons only", body = Problem),
        (
            status = 404,
            description = "CART_NOT_FOUND, also for a cart of another person; USER_NOT_FOUND: deleted account",
            body = Problem,
        ),
        (status = 503, description = "SERVICE_UNAVAILABLE, with Retry-After", body = Problem),
    )
)]
pub(super) async fn claim_cart(
    State(app): State<AppState>,
    caller: SignedInUser,
    Path(id): Path<CartId>,
) -> Result<CartResponse, ApiError> {
    let SignedInUser(_, user) = caller;
    Ok(CartResponse::new(app.carts.claim(user, id).await?, &app.currency))
}
