//! `PUT /api/products/{id}`, and `PATCH`, which is the same

use axum::extract::State;
use common::auth::AdminOnly;
use common::http::{ApiError, Checks, Json, Path, cleared};
use contracts::calls::Product;
use contracts::{Money, Problem, ProductId};
use serde::Deserialize;
use utoipa::ToSchema;

use super::create_product::{above_zero, chars, path_segment};
use crate::app::AppState;
use crate::domain::ProductChanges;

#[derive(Deserialize, ToSchema)]
#[schema(as = ProductChanges)]
pub(super) struct Body {
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    #[schema(min_length = 1, max_length = 2000)]
    description: Option<String>,
    /// Above zero.
    price: Option<Money>,
    #[schema(min_length = 1, max_length = 100)]
    category: Option<String>,
    /// `null` takes it away.
    #[serde(default, deserialize_with = "cleared")]
    #[schema(max_length = 50, value_type = Option<String>)]
    brand: Option<Option<String>>,
    /// Unique among active products; `null` takes it away.
    #[serde(default, deserialize_with = "cleared")]
    #[schema(max_length = 100, value_type = Option<String>)]
    sku: Option<Option<String>>,
    /// Whether it is on sale.
    active: Option<bool>,
}

/// Changes a product. What is left out stays; the stock is changed by a call of its own.
#[utoipa::path(
    method(put, patch),
    path = "/api/products/{id}",
    tag = "products",
    security(("bearer" = [])),
    params(("id" = ProductId, Path)),
    request_body = Body,
    responses(
        (status = 200, body = Product),
        (status = 400, description = "VALIDATION_FAILED, MALFORMED_BODY", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN", body = Problem),
        (status = 404, description = "PRODUCT_NOT_FOUND", body = Problem),
        (status = 409, description = "SKU_EXISTS, also when it is active again", body = Problem),
    )
)]
pub(super) async fn update_product(
    State(app): State<AppState>,
    _admin: AdminOnly,
    Path(id): Path<ProductId>,
    Json(body): Json<Body>,
) -> Result<Json<Product>, ApiError> {
    Ok(Json(app.shop.update(id, &check(body)?).await?))
}

fn check(body: Body) -> Result<ProductChanges, ApiError> {
    let mut checks = Checks::new();
    above_zero(&mut checks, body.price);
    let changes = ProductChanges {
        name: body.name.and_then(|name| checks.text("name", Some(name), chars::NAME)),
        description: body
            .description
            .and_then(|text| checks.multiline_text("description", Some(text), chars::DESCRIPTION)),
        price: body.price,
        category: body.category.and_then(|category| checks.text("category", Some(category), chars::CATEGORY)),
        brand: body.brand.map(|brand| checks.optional_text("brand", brand, chars::BRAND)),
        sku: body.sku.map(|sku| checks.optional_text("sku", sku, chars::SKU)),
        active: body.active,
    };
    path_segment(&mut checks, changes.sku.as_ref().and_then(Option::as_deref));
    checks.finish(Some(changes))
}
