//! ProductRepository, stock and reviews in one PostgreSQL database.
//!
//! Locks are taken in one order, so that no two transactions wait for each other: an order's reservation or a review's
//! author first, then products by their ids, then what hangs on a product.

use std::sync::Arc;

use common::postgres::{Postgres, renamed};
use common::store::StoreError;
use contracts::ProductId;
use sqlx::PgConnection;
use sqlx::migrate::Migrator;

use super::{CONSTRAINT_ONE_REVIEW, CONSTRAINT_SKU, Repositories};

mod catalogue;
mod images;
mod list;
mod read;
mod reservations;
mod reviews;
mod search;
mod stock;

pub use catalogue::{BATCH, BRANDS, CATEGORIES, ID_OF_SKU, PostgresProductRepository};
pub use read::{IMAGES, PRODUCT};
pub use reservations::{LINES, RESERVATION};
pub use reviews::{ANONYMIZE, DELETED, PAGE as REVIEWS, PostgresReviewRepository};
pub use search::PENDING;
pub use stock::{AUDITED, DUE, NEXT_DUE, PostgresInventoryRepository};

/// The tables.
pub static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// The schema's names of the constraints that the ports speak of.
const CONSTRAINTS: &[(&str, &str)] = &[("products_sku", CONSTRAINT_SKU), ("reviews_one_each", CONSTRAINT_ONE_REVIEW)];

/// Locks a product.
pub const LOCK: &str = "SELECT active FROM products WHERE id = $1 FOR UPDATE";

/// All stores in an open database, which was migrated by [`MIGRATIONS`].
#[must_use]
pub fn repositories(db: &Postgres) -> Repositories {
    Repositories {
        products: Arc::new(PostgresProductRepository::new(db.clone())),
        inventory: Arc::new(PostgresInventoryRepository::new(db.clone())),
        reviews: Arc::new(PostgresReviewRepository::new(db.clone())),
    }
}

/// Locks a product until the transaction ends; whether it is active, `None` if there is no such product.
async fn lock(tx: &mut PgConnection, product: ProductId) -> Result<Option<bool>, StoreError> {
    Ok(sqlx::query_scalar(LOCK).bind(product.get()).fetch_optional(tx).await?)
}

/// A refusal of the database in the ports' words.
fn refusal(error: sqlx::Error) -> StoreError {
    renamed(error, CONSTRAINTS)
}

/// That a statement changed one row, as it must.
fn one(rows: u64, what: &'static str) -> Result<(), StoreError> {
    if rows == 1 { Ok(()) } else { Err(StoreError::Corrupt(format!("{rows} rows of one {what} were changed"))) }
}
