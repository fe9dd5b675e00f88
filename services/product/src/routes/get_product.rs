//! `GET /api/products/{id}`

use axum::extract::{Request, State};
use axum::response::Response;
use common::http::{ApiError, Path};
use contracts::calls::Product;
use contracts::{Problem, ProductId};

use super::show::show;
use crate::app::AppState;

/// A product. One that is not active is there for admins only.
#[utoipa::path(
    get,
    path = "/api/products/{id}",
    tag = "products",
    params(("id" = ProductId, Path), ("If-None-Match" = Option<String>, Header)),
    responses(
        (status = 200, body = Product, headers(("ETag" = String, description = "Changes when the product does"))),
        (status = 304, description = "It is as the caller has it"),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 404, description = "PRODUCT_NOT_FOUND", body = Problem),
    )
)]
pub(super) async fn get_product(
    State(app): State<AppState>,
    Path(id): Path<ProductId>,
    request: Request,
) -> Result<Response, ApiError> {
    let card = app.shop.card(id).await?;
    show(&app, card, request).await
}
