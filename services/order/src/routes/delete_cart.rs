//! `DELETE /api/carts/{id}`

use axum::extract::State;
use axum::http::StatusCode;
use common::http::{ApiError, CallerIfAny, Path};
use contracts::{CartId, Problem};

use crate::state::AppState;

/// Deletes a cart. The id of a merged cart leads its owner to the surviving cart.
#[utoipa::path(
    delete,
    path = "/api/carts/{id}",
    tag = "carts",
    params(("id" = CartId, Path)),
    responses(
        (status = 204, description = "Cart deleted"),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED: invalid token", body = Problem),
        (status = 404, description = "CART_NOT_FOUND, also for a cart of another person", body = Problem),
    )
)]
pub(super) async fn delete_cart(
    State(app): State<AppState>,
    CallerIfAny(caller): CallerIfAny,
    Path(id): Path<CartId>,
) -> Result<StatusCode, ApiError> {
    app.carts.delete(caller.and_then(|caller| caller.user_id), id).await?;
    Ok(StatusCode::NO_CONTENT)
}
