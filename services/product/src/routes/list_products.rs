//! `GET /api/products`

use axum::extract::State;
use common::http::{ApiError, Json, Query, Validator};
use contracts::api::Product;
use contracts::{Money, Problem};
use serde::Deserialize;

use super::pagination;
use crate::domain::{Page, PageRequest, ProductFilter, SortOrder};
use crate::state::AppState;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct ListProductsQuery {
    /// Category, in any spelling that looks the same: case, width and white space are ignored.
    category: Option<String>,
    /// Brand, in any spelling that looks the same.
    brand: Option<String>,
    #[param(value_type = Option<Money>)]
    min_price: Option<String>,
    #[param(value_type = Option<Money>)]
    max_price: Option<String>,
    /// Text in the name or description; case and diacritics are ignored.
    search: Option<String>,
    /// Restriction to products in stock.
    in_stock: Option<bool>,
    /// Page number, counted from 0.
    #[param(minimum = 0, default = 0)]
    page: Option<i64>,
    #[param(minimum = 1, maximum = 100, default = 20)]
    size: Option<i64>,
    /// Sort order: `field,asc` or `field,desc`, where the field is `id`, `name`, `price`, `createdAt`, `averageRating` or
    /// `stockQuantity`.
    #[param(example = "price,desc")]
    sort: Option<String>,
}

/// Returns a page of active products that match all conditions.
#[utoipa::path(
    get,
    path = "/api/products",
    tag = "products",
    params(ListProductsQuery),
    responses(
        (status = 200, body = Page<Product>),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
    )
)]
pub(super) async fn list_products(
    State(app): State<AppState>,
    Query(query): Query<ListProductsQuery>,
) -> Result<Json<Page<Product>>, ApiError> {
    let (filter, order, page) = validate(query)?;
    Ok(Json(app.catalog.list(&filter, order, page).await?))
}

fn validate(query: ListProductsQuery) -> Result<(ProductFilter, SortOrder, PageRequest), ApiError> {
    let mut checks = Validator::new();
    let filter = ProductFilter {
        category: non_empty(query.category),
        brand: non_empty(query.brand),
        min_price: parse_price(&mut checks, "minPrice", query.min_price.as_deref()),
        max_price: parse_price(&mut checks, "maxPrice", query.max_price.as_deref()),
        search: non_empty(query.search),
        in_stock: query.in_stock.unwrap_or(false),
    };
    let page = pagination::page(&mut checks, query.page, query.size);
    let sort = pagination::sort(&mut checks, query.sort.as_deref());
    checks.finish(page.zip(sort).map(|(page, sort)| (filter, SortOrder::By(sort), page)))
}

/// Returns the trimmed text; an empty one, as forms send it, counts as omitted.
fn non_empty(value: Option<String>) -> Option<String> {
    value.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn parse_price(checks: &mut Validator, field: &'static str, value: Option<&str>) -> Option<Money> {
    match value?.parse() {
        Ok(price) => Some(price),
        Err(error) => {
            checks.fail(field, error.to_string());
            None
        }
    }
}
