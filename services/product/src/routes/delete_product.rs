//! `DELETE /api/products/{id}`

use axum::extract::State;
use axum::http::StatusCode;
use common::auth::AdminOnly;
use common::http::{ApiError, Path};
use contracts::{Problem, ProductId};

use crate::app::AppState;

/// Hides a product: it is no longer active, and its sku can be used again. Orders still name it.
#[utoipa::path(
    delete,
    path = "/api/products/{id}",
    tag = "products",
    security(("bearer" = [])),
    params(("id" = ProductId, Path)),
    responses(
        (status = 204, description = "Hidden, also if it was already"),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN", body = Problem),
        (status = 404, description = "PRODUCT_NOT_FOUND", body = Problem),
    )
)]
pub(super) async fn delete_product(
    State(app): State<AppState>,
    _admin: AdminOnly,
    Path(id): Path<ProductId>,
) -> Result<StatusCode, ApiError> {
    app.shop.hide(id).await?;
    Ok(StatusCode::NO_CONTENT)
}
