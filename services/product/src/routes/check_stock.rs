//! `GET /api/products/{id}/stock`

use axum::extract::State;
use common::http::{ApiError, Json, Path, Query, Validator};
use contracts::{Problem, ProductId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::state::AppState;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct CheckStockQuery {
    /// Requested quantity.
    #[param(minimum = 1, default = 1)]
    quantity: Option<i64>,
}

/// Available stock of a product.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ProductStock)]
pub(super) struct CheckStockResponse {
    product_id: ProductId,
    /// Available stock.
    stock_quantity: i64,
    /// Sufficiency for the requested quantity.
    available: bool,
}

/// Validator the available stock of an active product.
#[utoipa::path(
    get,
    path = "/api/products/{id}/stock",
    tag = "stock",
    params(("id" = ProductId, Path), CheckStockQuery),
    responses(
        (status = 200, body = CheckStockResponse),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 404, description = "PRODUCT_NOT_FOUND", body = Problem),
    )
)]
pub(super) async fn check_stock(
    State(app): State<AppState>,
    Path(id): Path<ProductId>,
    Query(query): Query<CheckStockQuery>,
) -> Result<Json<CheckStockResponse>, ApiError> {
    let mut checks = Validator::new();
    let quantity = checks.integer("quantity", Some(query.quantity.unwrap_or(1)), 1..=i64::MAX);
    let quantity = checks.finish(quantity)?;
    let stock_quantity = app.inventory.available(id).await?;
    Ok(Json(CheckStockResponse { product_id: id, stock_quantity, available: stock_quantity >= quantity }))
}
