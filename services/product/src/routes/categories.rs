//! `GET /api/products/categories`

use axum::extract::State;
use common::http::{ApiError, Json};

use crate::app::AppState;

/// The categories that active products are in, sorted; of spellings that look the same, the first product's.
#[utoipa::path(
    get,
    path = "/api/products/categories",
    tag = "products",
    responses((status = 200, body = Vec<String>))
)]
pub(super) async fn categories(State(app): State<AppState>) -> Result<Json<Vec<String>>, ApiError> {
    Ok(Json(app.shop.categories().await?))
}
