//! `POST /api/products`

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use common::http::AdminOnly;
use common::http::{ApiError, Json, Validator};
use contracts::api::Product;
use contracts::{Money, Problem};
use serde::Deserialize;
use utoipa::ToSchema;

use super::request::{
    CATEGORY_CHARS, DESCRIPTION_CHARS, MAX_BRAND_CHARS, MAX_SKU_CHARS, NAME_CHARS, check_price, check_sku,
};
use crate::domain::{MAX_STOCK, NewProduct};
use crate::state::AppState;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NewProduct)]
pub(super) struct CreateProductRequest {
    #[schema(required, min_length = 1, max_length = 255)]
    name: Option<String>,
    #[schema(required, min_length = 1, max_length = 2000)]
    description: Option<String>,
    /// Unit price, above zero.
    #[schema(required)]
    price: Option<Money>,
    #[schema(required, min_length = 1, max_length = 100)]
    category: Option<String>,
    /// Initial stock.
    #[schema(minimum = 0, default = 0)]
    stock_quantity: Option<i64>,
    #[schema(max_length = 50)]
    brand: Option<String>,
    /// Stock keeping unit, unique among active products.
    #[schema(max_length = 100)]
    sku: Option<String>,
}

/// Creates a product.
#[utoipa::path(
    post,
    path = "/api/products",
    tag = "products",
    security(("bearer" = [])),
    request_body = CreateProductRequest,
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
    Json(body): Json<CreateProductRequest>,
) -> Result<Response, ApiError> {
    let product = app.catalog.create(&validate(body)?).await?;
    let location = format!("/api/products/{}", product.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(product)).into_response())
}

fn validate(body: CreateProductRequest) -> Result<NewProduct, ApiError> {
    let mut checks = Validator::new();
    let name = checks.text("name", body.name, NAME_CHARS);
    let description = checks.multiline_text("description", body.description, DESCRIPTION_CHARS);
    let price = checks.required("price", body.price);
    check_price(&mut checks, price);
    let category = checks.text("category", body.category, CATEGORY_CHARS);
    let stock_quantity = checks.integer("stockQuantity", Some(body.stock_quantity.unwrap_or(0)), 0..=MAX_STOCK);
    let brand = checks.optional_text("brand", body.brand, MAX_BRAND_CHARS);
    let sku = checks.optional_text("sku", body.sku, MAX_SKU_CHARS);
    check_sku(&mut checks, sku.as_deref());
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
