//! `GET /api/products`

use axum::extract::State;
use common::http::{ApiError, Checks, Json, Query};
use contracts::calls::Product;
use contracts::{Money, Problem};
use serde::Deserialize;

use super::paging;
use crate::app::AppState;
use crate::domain::{Listing, Page, PageRequest, Shelf};

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// In any spelling that looks the same: case, width and white space do not count.
    category: Option<String>,
    /// As the category.
    brand: Option<String>,
    #[param(value_type = Option<Money>)]
    min_price: Option<String>,
    #[param(value_type = Option<Money>)]
    max_price: Option<String>,
    /// Text in name or description; case and diacritics do not count.
    search: Option<String>,
    /// `true`: only what is in stock.
    in_stock: Option<bool>,
    /// From 0.
    #[param(minimum = 0, default = 0)]
    page: Option<i64>,
    #[param(minimum = 1, maximum = 100, default = 20)]
    size: Option<i64>,
    /// `field,asc` or `field,desc`, where the field is `id`, `name`, `price`, `createdAt`, `averageRating` or
    /// `stockQuantity`.
    #[param(example = "price,desc")]
    sort: Option<String>,
}

/// A page of active products. All conditions hold.
#[utoipa::path(
    get,
    path = "/api/products",
    tag = "products",
    params(Params),
    responses(
        (status = 200, body = Page<Product>),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
    )
)]
pub(super) async fn list_products(
    State(app): State<AppState>,
    Query(params): Query<Params>,
) -> Result<Json<Page<Product>>, ApiError> {
    let (shelf, by, page) = check(params)?;
    Ok(Json(app.shop.list(&shelf, by, page).await?))
}

fn check(params: Params) -> Result<(Shelf, Listing, PageRequest), ApiError> {
    let mut checks = Checks::new();
    let shelf = Shelf {
        category: text(params.category),
        brand: text(params.brand),
        min_price: price(&mut checks, "minPrice", params.min_price.as_deref()),
        max_price: price(&mut checks, "maxPrice", params.max_price.as_deref()),
        search: text(params.search),
        in_stock: params.in_stock.unwrap_or(false),
    };
    let page = paging::page(&mut checks, params.page, params.size);
    let sort = paging::sort(&mut checks, params.sort.as_deref());
    checks.finish(page.zip(sort).map(|(page, sort)| (shelf, Listing::By(sort), page)))
}

/// A condition that is empty, as forms send it, is none.
fn text(value: Option<String>) -> Option<String> {
    value.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn price(checks: &mut Checks, field: &'static str, value: Option<&str>) -> Option<Money> {
    match value?.parse() {
        Ok(price) => Some(price),
        Err(error) => {
            checks.fail(field, error.to_string());
            None
        }
    }
}
