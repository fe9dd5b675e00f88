//! `GET /api/products/sku/{sku}`

use axum::extract::{Request, State};
use axum::response::Response;
use common::http::text::nfc;
use common::http::{ApiError, Path};
use contracts::Problem;
use contracts::api::Product;

use super::conditional_get::respond;
use crate::state::AppState;

/// Returns the active product with this sku. Without one, admins receive the last inactive product that had it.
#[utoipa::path(
    get,
    path = "/api/products/sku/{sku}",
    tag = "products",
    params(("sku" = String, Path), ("If-None-Match" = Option<String>, Header)),
    responses(
        (status = 200, body = Product, headers(("ETag" = String, description = "Changes when the product does"))),
        (status = 304, description = "Unchanged"),
        (status = 404, description = "PRODUCT_NOT_FOUND", body = Problem),
    )
)]
pub(super) async fn get_product_by_sku(
    State(app): State<AppState>,
    Path(sku): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let product = app.catalog.get_by_sku(&nfc(&sku)).await?;
    respond(&app, product, request).await
}
