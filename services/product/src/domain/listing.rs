//! Filters and sort orders of product lists.

use contracts::Money;

/// Visibility of the listed products.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Visibility {
    /// Visibility: products in the catalog.
    #[default]
    Active,
    /// Visibility: products that are hidden from customers.
    Inactive,
    /// Visibility: all products.
    All,
}

/// Conditions of a product list; all of them apply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProductFilter {
    /// Visibility of the products.
    pub visibility: Visibility,
    /// Category, in any spelling with the same equality key.
    pub category: Option<String>,
    /// Brand, in any spelling with the same equality key.
    pub brand: Option<String>,
    /// Lowest price of the filter, inclusive.
    pub min_price: Option<Money>,
    /// Highest price of the filter, inclusive.
    pub max_price: Option<Money>,
    /// Text that the name or description contains, regardless of case and diacritics.
    pub search: Option<String>,
    /// Restriction to products with available stock.
    pub in_stock: bool,
    /// Largest available stock.
    pub low_stock: Option<i64>,
    /// Lowest mean rating, from 1 to 5.
    pub min_rating: Option<i64>,
}

impl ProductFilter {
    /// Returns true if the list shows what only admins may see: hidden products, or products by their stock.
    #[must_use]
    pub fn is_restricted(&self) -> bool {
        self.visibility != Visibility::Active || self.low_stock.is_some()
    }
}

/// Sort order of a product list. Ties are broken by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortOrder {
    /// Sort order: the caller's order.
    By(Sort),
    /// Sort order: newest first.
    Latest,
    /// Best rating first, then the larger number of reviews.
    TopRated,
}

/// Sort order that a caller requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// Field to sort by.
    pub field: SortField,
    /// Direction: greatest value first.
    pub descending: bool,
}

impl Default for Sort {
    fn default() -> Self {
        Self { field: SortField::Id, descending: false }
    }
}

impl Sort {
    /// Parses `field`, `field,asc` or `field,desc`; returns `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (field, direction) = text.split_once(',').unwrap_or((text, "asc"));
        let field = SortField::ALL.into_iter().find(|known| known.as_str() == field)?;
        let descending = match direction.to_ascii_lowercase().as_str() {
            "asc" => false,
            "desc" => true,
            _ => return None,
        };
        Some(Self { field, descending })
    }
}

/// Fields by which products can be sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the product's fields")]
pub enum SortField {
    Id,
    Name,
    Price,
    CreatedAt,
    AverageRating,
    StockQuantity,
}

impl SortField {
    /// All fields.
    pub const ALL: [Self; 6] =
        [Self::Id, Self::Name, Self::Price, Self::CreatedAt, Self::AverageRating, Self::StockQuantity];

    /// Returns the name of the field in a query string.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "name",
            Self::Price => "price",
            Self::CreatedAt => "createdAt",
            Self::AverageRating => "averageRating",
            Self::StockQuantity => "stockQuantity",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sort_names_a_field_and_a_direction() {
        let by = |field, descending| Some(Sort { field, descending });
        assert_eq!(Sort::parse("price,desc"), by(SortField::Price, true));
        assert_eq!(Sort::parse("createdAt,asc"), by(SortField::CreatedAt, false));
        assert_eq!(Sort::parse("name"), by(SortField::Name, false));
        for invalid in ["", ",", "sku,asc", "price,down", "price,asc,desc", "price,", "Price,asc", "id;--,asc"] {
            assert_eq!(Sort::parse(invalid), None, "{invalid}");
        }
    }
}
