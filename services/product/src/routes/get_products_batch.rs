//! `GET /api/products/batch`

use axum::extract::State;
use common::http::{ApiError, Json, Query, Validator};
use contracts::api::Product;
use contracts::limits::MAX_BATCH_IDS;
use contracts::{Problem, ProductId};
use serde::Deserialize;

use crate::state::AppState;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct GetProductsBatchQuery {
    /// Product ids, separated by commas, at most 100.
    #[param(required, example = "1,2,3")]
    ids: Option<String>,
}

/// Returns the active products among these ids, each once, by id.
#[utoipa::path(
    get,
    operation_id = "batch",
    path = "/api/products/batch",
    tag = "products",
    params(GetProductsBatchQuery),
    responses(
        (status = 200, body = Vec<Product>),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
    )
)]
pub(super) async fn get_products_batch(
    State(app): State<AppState>,
    Query(query): Query<GetProductsBatchQuery>,
) -> Result<Json<Vec<Product>>, ApiError> {
    let products = app.catalog.find_active(&validate(query)?).await?;
    Ok(Json(products))
}

fn validate(query: GetProductsBatchQuery) -> Result<Vec<ProductId>, ApiError> {
    let mut checks = Validator::new();
    let ids = checks.required("ids", query.ids).and_then(|text| parse_ids(&mut checks, &text));
    checks.finish(ids)
}

fn parse_ids(checks: &mut Validator, text: &str) -> Option<Vec<ProductId>> {
    if text.split(',').count() > MAX_BATCH_IDS {
        checks.fail("ids", format!("must be at most {MAX_BATCH_IDS}"));
        return None;
    }
    let ids = text.split(',').map(|id| id.trim().parse()).collect::<Result<Vec<_>, _>>();
    if ids.is_err() {
        checks.fail("ids", "must be integers separated by commas");
    }
    ids.ok()
}
