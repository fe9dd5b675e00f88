//! Facets of product lists.

use common::database::store::StoreError;
use common::database::{Connection, Dialect, Query, Row};

use super::product_list::{HUNDREDTHS, listing};
use crate::domain::{Facet, FacetRating, FacetValue, Facets, PriceRange, ProductFilter, SortOrder};

/// Ratings of the facet, best first.
const RATINGS: [i64; 5] = [5, 4, 3, 2, 1];

/// Counts the facets of a list. The connection should be a snapshot.
pub(super) async fn fetch(db: &mut Connection, filter: &ProductFilter) -> Result<Facets, StoreError> {
    let dialect = db.dialect();
    let query = |facet| facet_query(dialect, facet, filter);
    let categories = query(Facet::Categories).fetch_all(db).await?;
    let brands = query(Facet::Brands).fetch_all(db).await?;
    let ratings = query(Facet::Ratings).fetch_one(db).await?;
    let price = query(Facet::Price).fetch_one(db).await?;
    Ok(Facets {
        categories: categories.iter().map(map_value).collect::<Result<_, _>>()?,
        brands: brands.iter().map(map_value).collect::<Result<_, _>>()?,
        ratings: map_ratings(&ratings)?,
        price: PriceRange { min: price.get("lowest")?, max: price.get("highest")? },
        in_stock: query(Facet::InStock).fetch_scalar(db).await?,
        total: query(Facet::Total).fetch_scalar(db).await?,
    })
}

/// Returns the query of a facet: an aggregate of the list's rows under the other filters. A value is spelled as by the
/// active product with the lowest id, as in the lists of categories and brands.
pub fn facet_query(dialect: Dialect, facet: Facet, filter: &ProductFilter) -> Query<'static> {
    let mut listing = listing(dialect, &facet.filter(filter), SortOrder::Latest);
    let values = |column: &str| {
        let spelling = format!(
            "coalesce((SELECT s.{column} FROM products s WHERE s.active AND s.{column}_key = products.{column}_key \
             ORDER BY s.id LIMIT 1), min({column}))"
        );
        let columns = format!("{spelling} AS value, count(*) AS count");
        (columns, format!(" GROUP BY {column}_key ORDER BY count(*) DESC, {column}_key LIMIT 100"))
    };
    match facet {
        Facet::Categories => {
            let (columns, tail) = values("category");
            listing.condition("category_key IS NOT NULL").select(&columns, &tail)
        }
        Facet::Brands => {
            let (columns, tail) = values("brand");
            listing.condition("brand_key IS NOT NULL").select(&columns, &tail)
        }
        Facet::Ratings => {
            let count = |stars: &i64| format!("count(*) FILTER (WHERE average_rating >= {})", stars * HUNDREDTHS);
            listing.select(&RATINGS.iter().map(count).collect::<Vec<_>>().join(", "), "")
        }
        Facet::Price => listing.select("min(price) AS lowest, max(price) AS highest", ""),
        Facet::InStock | Facet::Total => listing.count(),
    }
}

fn map_value(row: &Row) -> Result<FacetValue, StoreError> {
    Ok(FacetValue { value: row.get("value")?, count: row.get("count")? })
}

fn map_ratings(row: &Row) -> Result<Vec<FacetRating>, StoreError> {
    let rating = |(at, value): (usize, &i64)| Ok(FacetRating { value: *value, count: row.get(at)? });
    RATINGS.iter().enumerate().map(rating).collect()
}
