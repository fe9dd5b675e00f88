//! `GET /api/products/{id}`

use axum::extract::{Request, State};
use axum::response::Response;
use common::http::{ApiError, Path};
use contracts::api::Product;
use contracts::{Problem, ProductId};

use super::conditional_get::respond;
use crate::state::AppState;

/// Returns a product. Inactive products are visible to admins only.
#[utoipa::path(
    get,
    path = "/api/products/{id}",
    tag = "products",
    params(("id" = ProductId, Path), ("If-None-Match" = Option<String>, Header)),
    responses(
        (status = 200, body = Product, headers(("ETag" = String, description = "Changes when the product does"))),
        (status = 304, description = "Unchanged"),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 404, description = "PRODUCT_NOT_FOUND", body = Problem),
    )
)]
pub(super) async fn get_product(
    State(app): State<AppState>,
    Path(id): Path<ProductId>,
    request: Request,
) -> Result<Response, ApiError> {
    let product = app.catalog.get(id).await?;
    respond(&app, product, request).await
}
