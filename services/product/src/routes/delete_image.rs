//! `DELETE /api/products/{id}/images/{imageId}`

use axum::extract::State;
use axum::http::StatusCode;
use common::http::AdminOnly;
use common::http::{ApiError, Path};
use contracts::{ImageId, Problem, ProductId};

use crate::state::AppState;

/// Removes a picture from a product.
#[utoipa::path(
    delete,
    path = "/api/products/{id}/images/{imageId}",
    tag = "images",
    security(("bearer" = [])),
    params(("id" = ProductId, Path), ("imageId" = ImageId, Path)),
    responses(
        (status = 204, description = "Removed"),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN", body = Problem),
        (status = 404, description = "IMAGE_NOT_FOUND", body = Problem),
    )
)]
pub(super) async fn delete_image(
    State(app): State<AppState>,
    _admin: AdminOnly,
    Path((product, image)): Path<(ProductId, ImageId)>,
) -> Result<StatusCode, ApiError> {
    app.catalog.remove_image(product, image).await?;
    Ok(StatusCode::NO_CONTENT)
}
