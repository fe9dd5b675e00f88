//! `GET /api/products/{id}/stock`

use axum::extract::State;
use common::http::{ApiError, Checks, Json, Path, Query};
use contracts::{Problem, ProductId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::AppState;
use crate::error::Error;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// Pieces that are wanted.
    #[param(minimum = 1, default = 1)]
    quantity: Option<i64>,
}

/// What is in stock of a product.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ProductStock)]
pub(super) struct Answer {
    product_id: ProductId,
    /// Pieces that are left to reserve.
    stock_quantity: i64,
    /// Whether they are as many as are wanted.
    available: bool,
}

/// Whether so many pieces are in stock.
#[utoipa::path(
    get,
    path = "/api/products/{id}/stock",
    tag = "stock",
    params(("id" = ProductId, Path), Params),
    responses(
        (status = 200, body = Answer),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 404, description = "PRODUCT_NOT_FOUND", body = Problem),
    )
)]
pub(super) async fn check_stock(
    State(app): State<AppState>,
    Path(id): Path<ProductId>,
    Query(params): Query<Params>,
) -> Result<Json<Answer>, ApiError> {
    let mut checks = Checks::new();
    let quantity = checks.integer("quantity", Some(params.quantity.unwrap_or(1)), 1..=i64::MAX);
    let quantity = checks.finish(quantity)?;
    let product = app.shop.find(id).await?.filter(|product| product.active).ok_or(Error::ProductNotFound)?;
    let stock_quantity = product.stock_quantity;
    Ok(Json(Answer { product_id: id, stock_quantity, available: stock_quantity >= quantity }))
}
