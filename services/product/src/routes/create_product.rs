//! `POST /api/products`

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use common::auth::AdminOnly;
use common::http::{ApiError, Checks, Json};
use contracts::calls::Product;
use contracts::{Money, Problem};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::AppState;
use crate::domain::{MAX_STOCK, NewProduct, is_path_segment};

/// Characters that a product's texts may have.
pub(super) mod chars {
    use std::ops::RangeInclusive;

    pub(in crate::routes) const NAME: RangeInclusive<usize> = 1..=255;
    pub(in crate::routes) const DESCRIPTION: RangeInclusive<usize> = 1..=2000;
    pub(in crate::routes) const CATEGORY: RangeInclusive<usize> = 1..=100;
    pub(in crate::routes) const BRAND: usize = 50;
    pub(in crate::routes) const SKU: usize = 100;
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NewProduct)]
pub(super) struct Body {
    #[schema(required, min_length = 1, max_length = 255)]
    name: Option<String>,
    #[schema(required, min_length = 1, max_length = 2000)]
    description: Option<String>,
    /// Above zero.
    #[schema(required)]
    price: Option<Money>,
    #[schema(required, min_length = 1, max_length = 100)]
    category: Option<String>,
    /// Pieces that it begins with.
    #[schema(minimum = 0, default = 0)]
    stock_quantity: Option<i64>,
    #[schema(max_length = 50)]
    brand: Option<String>,
    /// Unique.
    #[schema(max_length = 100)]
    sku: Option<String>,
}

/// Creates a product.
#[utoipa::path(
    post,
    path = "/api/products",
    tag = "products",
    security(("bearer" = [])),
    request_body = Body,
    responses(
        (status = 201, body = Product, headers(("Location" = String))),
        (status = 400, description = "VALIDATION_FAILED, MALFORMED_BODY", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN", body = Problem),
        (status = 409, description = "SKU_EXISTS", body = Problem),
    )
)]
pub(super) async fn create_product(
    State(app): State<AppState>,
    _admin: AdminOnly,
    Json(body): Json<Body>,
) -> Result<Response, ApiError> {
    let product = app.shop.create(&check(body)?).await?;
    let location = format!("/api/products/{}", product.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(product)).into_response())
}

fn check(body: Body) -> Result<NewProduct, ApiError> {
    let mut checks = Checks::new();
    let name = checks.text("name", body.name, chars::NAME);
    let description = checks.multiline_text("description", body.description, chars::DESCRIPTION);
    let price = checks.required("price", body.price);
    above_zero(&mut checks, price);
    let category = checks.text("category", body.category, chars::CATEGORY);
    let stock_quantity = checks.integer("stockQuantity", Some(body.stock_quantity.unwrap_or(0)), 0..=MAX_STOCK);
    let brand = checks.optional_text("brand", body.brand, chars::BRAND);
    let sku = checks.optional_text("sku", body.sku, chars::SKU);
    path_segment(&mut checks, sku.as_deref());
    let new = || {
        Some(NewProduct {
            name: name?,
            description: description?,
            price: price?,
            category: category?,
            stock_quantity: stock_quantity?,
            brand,
            sku,
        })
    };
    let new = new();
    checks.finish(new)
}

/// Notes a price that is nothing.
pub(super) fn above_zero(checks: &mut Checks, price: Option<Money>) {
    if price.is_some_and(Money::is_zero) {
        checks.fail("price", "must be above 0");
    }
}

/// Notes a sku that cannot stand in a path.
pub(super) fn path_segment(checks: &mut Checks, sku: Option<&str>) {
    if sku.is_some_and(|sku| !is_path_segment(sku)) {
        checks.fail("sku", "must not consist of dots only, nor any part of it between slashes");
    }
}
