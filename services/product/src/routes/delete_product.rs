//! `DELETE /api/products/{id}`

use axum::extract::State;
use axum::http::StatusCode;
use common::http::AdminOnly;
use common::http::{ApiError, Path};
use contracts::{Problem, ProductId};

use crate::state::AppState;

/// Deactivates a product and frees its sku for others. Existing orders keep their reference to it.
#[utoipa::path(
    delete,
    path = "/api/products/{id}",
    tag = "products",
    security(("bearer" = [])),
    params(("id" = ProductId, Path)),
    responses(
        (status = 204, description = "Deactivated, or inactive already"),
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
    app.catalog.deactivate(id).await?;
    Ok(StatusCode::NO_CONTENT)
}
