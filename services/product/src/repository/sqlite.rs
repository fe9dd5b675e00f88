//! ProductRepository, stock and reviews in one SQLite file.
//!
//! A transaction that writes begins with `BEGIN IMMEDIATE`, which is the lock of all rows.

use std::sync::Arc;

use common::sqlite::Sqlite;
use sqlx::migrate::Migrator;

use super::Repositories;

mod catalogue;
mod images;
mod list;
mod read;
mod reservations;
mod reviews;
mod search;
mod stock;

pub use catalogue::{BRANDS, CATEGORIES, ID_OF_SKU, SqliteProductRepository};
pub use reviews::SqliteReviewRepository;
pub use search::PENDING;
pub use stock::SqliteInventoryRepository;

/// The tables.
pub static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// All stores in an open file, which was migrated by [`MIGRATIONS`].
#[must_use]
pub fn repositories(db: &Sqlite) -> Repositories {
    Repositories {
        products: Arc::new(SqliteProductRepository::new(db.clone())),
        inventory: Arc::new(SqliteInventoryRepository::new(db.clone())),
        reviews: Arc::new(SqliteReviewRepository::new(db.clone())),
    }
}
