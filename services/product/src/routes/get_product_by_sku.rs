//! `GET /api/products/sku/{sku}`

use axum::extract::{Request, State};
use axum::response::Response;
use common::http::{ApiError, Path};
use common::text::nfc;
use contracts::Problem;
use contracts::calls::Product;

use super::show::show;
use crate::app::AppState;

/// The active product that has this sku. Where there is none, admins see the last inactive one that had it.
#[utoipa::path(
    get,
    path = "/api/products/sku/{sku}",
    tag = "products",
    params(("sku" = String, Path), ("If-None-Match" = Option<String>, Header)),
    responses(
        (status = 200, body = Product, headers(("ETag" = String, description = "Changes when the product does"))),
        (status = 304, description = "It is as the caller has it"),
        (status = 404, description = "PRODUCT_NOT_FOUND", body = Problem),
    )
)]
pub(super) async fn get_product_by_sku(
    State(app): State<AppState>,
    Path(sku): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let card = app.shop.card_of_sku(&nfc(&sku)).await?;
    show(&app, card, request).await
}
