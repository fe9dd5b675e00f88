//! SQL adapter of the repositories, for PostgreSQL and SQLite.
//!
//! Locks are acquired in one order, so that transactions do not deadlock: first the reservation of an order or the author
//! of a review, then products by id, then the rows that belong to a product.

use std::sync::Arc;

use common::database::store::StoreError;
use common::database::{Connection, Database, Migrations, Statement, map_constraint, query};
use contracts::ProductId;

use super::{CONSTRAINT_ONE_REVIEW, CONSTRAINT_SKU, Repositories};

mod facets;
mod images;
mod inventory;
mod media;
mod product_list;
mod product_rows;
mod products;
mod reservations;
mod reviews;
mod search_index;

pub use facets::facet_query;
pub use inventory::{AUDIT_PAGE, DUE, NEXT_DUE, adjustment_listing};
pub use media::{COLLECTABLE, LOCKED_MEDIA, REFERENCE};
pub use product_list::listing;
pub use product_rows::{IMAGES, PRODUCT};
pub use products::{ACTIVE_PRODUCTS, BRANDS, CATEGORIES, PRODUCT_ID_BY_SKU};
pub use reservations::{LINES, RESERVATION};
pub use reviews::{DELETED_AUTHOR, REVIEWS_OF_AUTHOR, review_listing};
pub use search_index::PENDING;

/// Migrations of the service's tables.
pub static MIGRATIONS: Migrations =
    Migrations { sqlite: sqlx::migrate!("migrations/sqlite"), postgres: sqlx::migrate!("migrations/postgres") };

/// PostgreSQL's names of the constraints, with those of the ports.
const CONSTRAINTS: &[(&str, &str)] = &[("products_sku", CONSTRAINT_SKU), ("reviews_one_each", CONSTRAINT_ONE_REVIEW)];

/// Lock of a product.
pub static LOCKED_PRODUCT: Statement =
    Statement::new(|db| format!("SELECT active FROM products WHERE id = $1 {}", db.row_lock("FOR UPDATE")));

/// Creates the repositories of an open database.
#[must_use]
pub fn repositories(db: &Database) -> Repositories {
    Repositories {
        products: Arc::new(products::SqlProductRepository::new(db.clone())),
        inventory: Arc::new(inventory::SqlInventoryRepository::new(db.clone())),
        media: Arc::new(media::SqlMediaRepository::new(db.clone())),
        reviews: Arc::new(reviews::SqlReviewRepository::new(db.clone())),
    }
}

/// Locks a product until the transaction ends; returns its visibility, `None` if the product does not exist.
async fn lock_product(db: &mut Connection, product: ProductId) -> Result<Option<bool>, StoreError> {
    query(&LOCKED_PRODUCT).bind(product).fetch_optional_scalar(db).await
}

/// Maps a violated constraint to its name in the ports.
fn map_error(error: StoreError) -> StoreError {
    map_constraint(error, CONSTRAINTS)
}

/// Requires that a statement changed one row.
fn require_row(rows: u64, entity: &'static str) -> Result<(), StoreError> {
    if rows == 1 { Ok(()) } else { Err(StoreError::Decode(format!("{rows} rows of one {entity} were changed"))) }
}
