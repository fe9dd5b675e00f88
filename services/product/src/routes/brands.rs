//! `GET /api/products/brands`

use axum::extract::State;
use common::http::{ApiError, Json};

use crate::state::AppState;

/// Returns the brands of active products, sorted. Spellings that look the same count once, in the oldest spelling.
#[utoipa::path(
    get,
    path = "/api/products/brands",
    tag = "products",
    responses((status = 200, body = Vec<String>))
)]
pub(super) async fn brands(State(app): State<AppState>) -> Result<Json<Vec<String>>, ApiError> {
    Ok(Json(app.catalog.brands().await?))
}
