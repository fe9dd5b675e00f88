//! `PATCH /api/products/{id}/stock`

use axum::extract::State;
use common::http::{AdminOr, scope};
use common::http::{ApiError, Json, Path, Validator};
use contracts::api::Product;
use contracts::{Actor, Problem, ProductId};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::domain::{MAX_STOCK, NewAdjustment};
use crate::state::AppState;

const MAX_REASON_CHARS: usize = 255;

#[derive(Deserialize, ToSchema)]
#[schema(as = StockAdjustment)]
pub(super) struct AdjustStockRequest {
    /// Change of the available stock: positive adds, negative removes.
    #[schema(required)]
    quantity: Option<i64>,
    /// Reason of the change, for the record.
    #[schema(max_length = 255)]
    reason: Option<String>,
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
    caller: AdminOr<scope::ProductsStock>,
    Path(id): Path<ProductId>,
    Json(body): Json<AdjustStockRequest>,
) -> Result<Json<Product>, ApiError> {
    let product = app.inventory.adjust(id, &validate(body, caller.0.actor())?).await?;
    Ok(Json(product))
}

fn validate(body: AdjustStockRequest, actor: Actor) -> Result<NewAdjustment, ApiError> {
    let mut checks = Validator::new();
    let quantity = checks.integer("quantity", body.quantity, -MAX_STOCK..=MAX_STOCK);
    if quantity == Some(0) {
        checks.fail("quantity", "must not be 0");
    }
    let reason = checks.optional_text("reason", body.reason, MAX_REASON_CHARS);
    checks.finish(quantity.map(|quantity| NewAdjustment { quantity, reason, actor }))
}
