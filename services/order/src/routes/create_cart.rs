//! `POST /api/carts`

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use common::http::{ApiError, CallerIfAny};
use contracts::Problem;

use super::cart_response::CartResponse;
use crate::state::AppState;

/// Creates a cart. With a token it is the person's; a person who has a cart gets that one. An unclaimed cart that is not
/// changed within an hour is deleted, any other cart after 30 days without use.
#[utoipa::path(
    post,
    path = "/api/carts",
    tag = "carts",
    responses(
        (status = 201, description = "New cart, or the person's cart", body = CartResponse, headers(("Location" = String))),
        (status = 401, description = "UNAUTHENTICATED: invalid token", body = Problem),
        (status = 404, description = "USER_NOT_FOUND: deleted account", body = Problem),
        (status = 503, description = "SERVICE_UNAVAILABLE, with Retry-After", body = Problem),
    )
)]
pub(super) async fn create_cart(
    State(app): State<AppState>,
    CallerIfAny(caller): CallerIfAny,
) -> Result<Response, ApiError> {
    let cart = app.carts.create(caller.and_then(|caller| caller.user_id)).await?;
    let cart = CartResponse::new(cart, &app.currency);
    Ok((StatusCode::CREATED, [(LOCATION, cart.location())], cart).into_response())
}
