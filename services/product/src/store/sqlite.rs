//! Catalogue, stock and reviews in one SQLite file.
//!
//! A transaction that writes begins with `BEGIN IMMEDIATE`, which is the lock of all rows.

use std::sync::Arc;

use common::sqlite::Sqlite;
use sqlx::migrate::Migrator;

use super::Stores;

mod catalogue;
mod images;
mod list;
mod read;
mod reservations;
mod reviews;
mod search;
mod stock;

pub use catalogue::{BRANDS, CATEGORIES, ID_OF_SKU, SqliteCatalogue};
pub use reviews::SqliteReviews;
pub use search::PENDING;
pub use stock::SqliteStock;

/// The tables.
pub static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// All stores in an open file, which was migrated by [`MIGRATIONS`].
#[must_use]
pub fn stores(db: &Sqlite) -> Stores {
    Stores {
        catalogue: Arc::new(SqliteCatalogue::new(db.clone())),
        stock: Arc::new(SqliteStock::new(db.clone())),
        reviews: Arc::new(SqliteReviews::new(db.clone())),
    }
}
