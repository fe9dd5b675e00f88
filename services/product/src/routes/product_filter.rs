//! Query parameters of product lists.

use axum::extract::FromRequestParts as _;
use axum::http::request::Parts;
use common::http::{AdminOnly, ApiError, Validator};
use contracts::Money;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::domain::{ProductFilter, Visibility};
use crate::state::AppState;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct ProductFilterQuery {
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
    /// Lowest mean rating.
    #[param(minimum = 1, maximum = 5)]
    rating: Option<i64>,
    /// Visibility of the products; for admins, except `true`.
    #[param(default = "true", inline)]
    active: Option<ActiveParameter>,
    /// Largest available stock; for admins.
    #[param(minimum = 0)]
    low_stock: Option<i64>,
}

/// Visibility of the listed products.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ActiveParameter {
    All,
    True,
    False,
}

impl ProductFilterQuery {
    /// Returns the filter; reports invalid values.
    pub(super) fn validate(self, checks: &mut Validator) -> ProductFilter {
        ProductFilter {
            visibility: match self.active {
                None | Some(ActiveParameter::True) => Visibility::Active,
                Some(ActiveParameter::False) => Visibility::Inactive,
                Some(ActiveParameter::All) => Visibility::All,
            },
            category: non_empty(self.category),
            brand: non_empty(self.brand),
            min_price: parse_price(checks, "minPrice", self.min_price.as_deref()),
            max_price: parse_price(checks, "maxPrice", self.max_price.as_deref()),
            search: non_empty(self.search),
            in_stock: self.in_stock.unwrap_or(false),
            low_stock: self.low_stock.and_then(|stock| checks.integer("lowStock", Some(stock), 0..=i64::MAX)),
            min_rating: self.rating.and_then(|rating| checks.integer("rating", Some(rating), 1..=5)),
        }
    }
}

/// Checks that the caller may see what the filter selects.
///
/// # Errors
/// 401 or 403 if the filter is for admins and the caller is none.
pub(super) async fn authorize(app: &AppState, filter: &ProductFilter, parts: &mut Parts) -> Result<(), ApiError> {
    if filter.is_restricted() {
        AdminOnly::from_request_parts(parts, app).await?;
    }
    Ok(())
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
