//! Facets of a product list.

use contracts::Money;
use serde::Serialize;
use utoipa::ToSchema;

use super::listing::ProductFilter;

/// Numbers of products by the values that a filter may take. Each facet is counted under the other filters of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Facets {
    /// Most frequent categories.
    pub categories: Vec<FacetValue>,
    /// Most frequent brands.
    pub brands: Vec<FacetValue>,
    /// Products rated at least 5, 4, 3, 2 and 1.
    pub ratings: Vec<FacetRating>,
    /// Range of the prices.
    pub price: PriceRange,
    /// Number of products with available stock.
    pub in_stock: i64,
    /// Number of products under all filters.
    pub total: i64,
}

/// Value of a facet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FacetValue {
    /// Value of the filter.
    pub value: String,
    /// Number of products.
    pub count: i64,
}

/// Rating of a facet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FacetRating {
    /// Lowest mean rating.
    #[schema(minimum = 1, maximum = 5)]
    pub value: i64,
    /// Number of products.
    pub count: i64,
}

/// Lowest and highest price; `null` without products.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct PriceRange {
    /// Lowest price.
    pub min: Option<Money>,
    /// Highest price.
    pub max: Option<Money>,
}

/// Facet of a product list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the fields")]
pub enum Facet {
    Categories,
    Brands,
    Ratings,
    Price,
    InStock,
    Total,
}

impl Facet {
    /// Returns the filters under which the facet is counted: all but its own.
    #[must_use]
    pub fn filter(self, filter: &ProductFilter) -> ProductFilter {
        let filter = filter.clone();
        match self {
            Self::Categories => ProductFilter { category: None, ..filter },
            Self::Brands => ProductFilter { brand: None, ..filter },
            Self::Ratings => ProductFilter { min_rating: None, ..filter },
            Self::Price => ProductFilter { min_price: None, max_price: None, ..filter },
            Self::InStock => ProductFilter { in_stock: true, ..filter },
            Self::Total => filter,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facet_ignores_its_own_filter_only() {
        let all = ProductFilter {
            category: Some("c".to_owned()),
            brand: Some("b".to_owned()),
            min_price: Some(Money::ZERO),
            max_price: Some(Money::ZERO),
            min_rating: Some(1),
            search: Some("s".to_owned()),
            ..ProductFilter::default()
        };
        assert_eq!(Facet::Total.filter(&all), all);
        assert_eq!(Facet::Categories.filter(&all), ProductFilter { category: None, ..all.clone() });
        assert_eq!(Facet::Brands.filter(&all), ProductFilter { brand: None, ..all.clone() });
        assert_eq!(Facet::Ratings.filter(&all), ProductFilter { min_rating: None, ..all.clone() });
        assert_eq!(Facet::Price.filter(&all), ProductFilter { min_price: None, max_price: None, ..all.clone() });
        assert_eq!(Facet::InStock.filter(&all), ProductFilter { in_stock: true, ..all });
    }
}
