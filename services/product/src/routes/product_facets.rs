//! `GET /api/products/facets`

use axum::extract::State;
use axum::http::request::Parts;
use common::http::{ApiError, Json, Query, Validator};
use contracts::Problem;

use super::product_filter::{ProductFilterQuery, authorize};
use crate::domain::Facets;
use crate::state::AppState;

/// Returns the facets of a product list, each counted under the other filters. The filters are those of the list.
#[utoipa::path(
    get,
    path = "/api/products/facets",
    tag = "products",
    params(ProductFilterQuery),
    responses(
        (status = 200, body = Facets),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED: a filter for admins", body = Problem),
        (status = 403, description = "FORBIDDEN: a filter for admins", body = Problem),
    )
)]
pub(super) async fn product_facets(
    State(app): State<AppState>,
    Query(filter): Query<ProductFilterQuery>,
    mut parts: Parts,
) -> Result<Json<Facets>, ApiError> {
    let mut checks = Validator::new();
    let filter = filter.validate(&mut checks);
    let filter = checks.finish(Some(filter))?;
    authorize(&app, &filter, &mut parts).await?;
    Ok(Json(app.catalog.facets(&filter).await?))
}
