//! `PATCH /api/products/{id}/stock`

use axum::extract::State;
use common::http::{AdminOr, scope};
use common::http::{ApiError, Json, Path, Validator};
use contracts::api::Product;
use contracts::{Problem, ProductId};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::domain::MAX_STOCK;
use crate::state::AppState;

#[derive(Deserialize, ToSchema)]
#[schema(as = StockAdjustment)]
pub(super) struct AdjustStockRequest {
    /// Change of the available stock: positive adds, negative removes.
    #[schema(required)]
    quantity: Option<i64>,
}

/// Adjusts the available stock manually. Reserved stock cannot be removed.
#[utoipa::path(
    patch,
    path = "/api/products/{id}/stock",
    tag = "stock",
    security(("bearer" = [])),
    params(("id" = ProductId, Path)),
    request_body = AdjustStockRequest,
    responses(
        (status = 200, body = Product),
        (status = 400, description = "VALIDATION_FAILED, MALFORMED_BODY, INSUFFICIENT_STOCK", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN, INSUFFICIENT_SCOPE", body = Problem),
        (status = 404, description = "PRODUCT_NOT_FOUND", body = Problem),
    )
)]
pub(super) async fn adjust_stock(
    State(app): State<AppState>,
    _caller: AdminOr<scope::ProductsStock>,
    Path(id): Path<ProductId>,
    Json(body): Json<AdjustStockRequest>,
) -> Result<Json<Product>, ApiError> {
    let product = app.inventory.adjust(id, validate(&body)?).await?;
    Ok(Json(product))
}

fn validate(body: &AdjustStockRequest) -> Result<i64, ApiError> {
    let mut checks = Validator::new();
    let quantity = checks.integer("quantity", body.quantity, -MAX_STOCK..=MAX_STOCK);
    if quantity == Some(0) {
        checks.fail("quantity", "must not be 0");
    }
    checks.finish(quantity)
}
