//! `GET /api/products/categories`

use axum::extract::State;
use common::http::{ApiError, Json};

use crate::state::AppState;

/// Returns the categories of active products, sorted. Spellings that look the same count once, in the oldest spelling.
#[utoipa::path(
    get,
    path = "/api/products/categories",
    tag = "products",
    responses((status = 200, body = Vec<String>))
)]
pub(super) async fn categories(State(app): State<AppState>) -> Result<Json<Vec<String>>, ApiError> {
    Ok(Json(app.catalog.categories().await?))
}
