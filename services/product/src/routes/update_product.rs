//! `PUT` and `PATCH /api/products/{id}`

use axum::extract::State;
use common::http::AdminOnly;
use common::http::{ApiError, Json, Path, Validator, double_option};
use contracts::api::Product;
use contracts::{Money, Problem, ProductId};
use serde::Deserialize;
use utoipa::ToSchema;

use super::request::{
    CATEGORY_CHARS, DESCRIPTION_CHARS, MAX_BRAND_CHARS, MAX_SKU_CHARS, NAME_CHARS, check_price, check_sku,
};
use crate::domain::ProductChanges;
use crate::state::AppState;

#[derive(Deserialize, ToSchema)]
#[schema(as = ProductChanges)]
pub(super) struct UpdateProductRequest {
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    #[schema(min_length = 1, max_length = 2000)]
    description: Option<String>,
    /// Unit price, above zero.
    price: Option<Money>,
    #[schema(min_length = 1, max_length = 100)]
    category: Option<String>,
    /// Brand; `null` removes it.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(max_length = 50, value_type = Option<String>)]
    brand: Option<Option<String>>,
    /// Stock keeping unit, unique among active products; `null` removes it.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(max_length = 100, value_type = Option<String>)]
    sku: Option<Option<String>>,
    /// Visibility in the catalog.
    active: Option<bool>,
}

/// Changes a product. Omitted fields stay as they are; the stock has an endpoint of its own.
#[utoipa::path(
    method(put, patch),
    path = "/api/products/{id}",
    tag = "products",
    security(("bearer" = [])),
    params(("id" = ProductId, Path)),
    request_body = UpdateProductRequest,
    responses(
        (status = 200, body = Product),
        (status = 400, description = "VALIDATION_FAILED, MALFORMED_BODY", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN", body = Problem),
        (status = 404, description = "PRODUCT_NOT_FOUND", body = Problem),
        (status = 409, description = "SKU_EXISTS, also on reactivation", body = Problem),
    )
)]
pub(super) async fn update_product(
    State(app): State<AppState>,
    _admin: AdminOnly,
    Path(id): Path<ProductId>,
    Json(body): Json<UpdateProductRequest>,
) -> Result<Json<Product>, ApiError> {
    let product = app.catalog.update(id, &validate(body)?).await?;
    Ok(Json(product))
}

fn validate(body: UpdateProductRequest) -> Result<ProductChanges, ApiError> {
    let mut checks = Validator::new();
    check_price(&mut checks, body.price);
    let changes = ProductChanges {
        name: body.name.and_then(|name| checks.text("name", Some(name), NAME_CHARS)),
        description: body
            .description
            .and_then(|text| checks.multiline_text("description", Some(text), DESCRIPTION_CHARS)),
        price: body.price,
        category: body.category.and_then(|category| checks.text("category", Some(category), CATEGORY_CHARS)),
        brand: body.brand.map(|brand| checks.optional_text("brand", brand, MAX_BRAND_CHARS)),
        sku: body.sku.map(|sku| checks.optional_text("sku", sku, MAX_SKU_CHARS)),
        active: body.active,
    };
    check_sku(&mut checks, changes.sku.as_ref().and_then(Option::as_deref));
    checks.finish(Some(changes))
}
