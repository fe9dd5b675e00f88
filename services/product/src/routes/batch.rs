//! `GET /api/products/batch`

use axum::extract::State;
use common::http::{ApiError, Checks, Json, Query};
use contracts::calls::Product;
use contracts::limits::MAX_BATCH_IDS;
use contracts::{Problem, ProductId};
use serde::Deserialize;

use crate::app::AppState;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// Ids of products with commas between them, at most 100.
    #[param(required, example = "1,2,3")]
    ids: Option<String>,
}

/// Those of these products that are active, each once, by id.
#[utoipa::path(
    get,
    path = "/api/products/batch",
    tag = "products",
    params(Params),
    responses(
        (status = 200, body = Vec<Product>),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
    )
)]
pub(super) async fn batch(
    State(app): State<AppState>,
    Query(params): Query<Params>,
) -> Result<Json<Vec<Product>>, ApiError> {
    let mut checks = Checks::new();
    let ids = checks.required("ids", params.ids).and_then(|text| read(&mut checks, &text));
    let ids = checks.finish(ids)?;
    Ok(Json(app.shop.batch(&ids).await?))
}

fn read(checks: &mut Checks, text: &str) -> Option<Vec<ProductId>> {
    if text.split(',').count() > MAX_BATCH_IDS {
        checks.fail("ids", format!("must be at most {MAX_BATCH_IDS}"));
        return None;
    }
    let ids = text.split(',').map(|id| id.trim().parse()).collect::<Result<Vec<_>, _>>();
    if ids.is_err() {
        checks.fail("ids", "must be integers with commas between them");
    }
    ids.ok()
}
