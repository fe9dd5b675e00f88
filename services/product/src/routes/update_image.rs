//! `PUT` and `PATCH /api/products/{id}/images/{imageId}`

use axum::extract::State;
use common::http::AdminOnly;
use common::http::{ApiError, Json, Path, Validator, double_option};
use contracts::api::ProductImage;
use contracts::{ImageId, Problem, ProductId};
use serde::Deserialize;
use utoipa::ToSchema;

use super::add_image::MAX_ALT_TEXT_CHARS;
use crate::domain::ImageChanges;
use crate::state::AppState;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ImageChanges)]
pub(super) struct UpdateImageRequest {
    /// Alternative text; `null` removes it.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(max_length = 255, value_type = Option<String>)]
    alt_text: Option<Option<String>>,
    /// Standing as the product's primary picture, of which there is at most one.
    primary: Option<bool>,
    /// Position among the product's pictures, counted from 0.
    #[schema(minimum = 0)]
    position: Option<i64>,
}

/// Changes a picture of a product. Omitted fields stay as they are.
#[utoipa::path(
    method(put, patch),
    path = "/api/products/{id}/images/{imageId}",
    tag = "images",
    security(("bearer" = [])),
    params(("id" = ProductId, Path), ("imageId" = ImageId, Path)),
    request_body = UpdateImageRequest,
    responses(
        (status = 200, body = ProductImage),
        (status = 400, description = "VALIDATION_FAILED, MALFORMED_BODY", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN", body = Problem),
        (status = 404, description = "IMAGE_NOT_FOUND", body = Problem),
    )
)]
pub(super) async fn update_image(
    State(app): State<AppState>,
    _admin: AdminOnly,
    Path((product, image)): Path<(ProductId, ImageId)>,
    Json(body): Json<UpdateImageRequest>,
) -> Result<Json<ProductImage>, ApiError> {
    Ok(Json(app.catalog.update_image(product, image, &validate(body)?).await?))
}

fn validate(body: UpdateImageRequest) -> Result<ImageChanges, ApiError> {
    let mut checks = Validator::new();
    let changes = ImageChanges {
        alt_text: body.alt_text.map(|text| checks.optional_text("altText", text, MAX_ALT_TEXT_CHARS)),
        primary: body.primary,
        position: body.position.and_then(|position| checks.integer("position", Some(position), 0..=i64::MAX)),
    };
    checks.finish(Some(changes))
}
