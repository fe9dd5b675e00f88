//! `GET /api/products/brands`

use axum::extract::State;
use common::http::{ApiError, Json};

use crate::app::AppState;

/// The brands of active products, sorted; of spellings that look the same, the first product's.
#[utoipa::path(
    get,
    path = "/api/products/brands",
    tag = "products",
    responses((status = 200, body = Vec<String>))
)]
pub(super) async fn brands(State(app): State<AppState>) -> Result<Json<Vec<String>>, ApiError> {
    Ok(Json(app.shop.brands().await?))
}
