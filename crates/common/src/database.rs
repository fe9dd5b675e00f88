//! A service's own database: one layer over SQLite and PostgreSQL.
//!
//! A repository is written once. Its statements have PostgreSQL's placeholders and locking protocol (`READ COMMITTED`, a
//! row locked before it is read to be changed), which is correct in SQLite too, where a transaction that writes has the lock
//! of the whole file. The differences that remain are the seven [`fragments`] of a [`Dialect`].
//!
//! ```
//! use common::database::{Database, Effects, Statement, StoreError, query};
//! use contracts::{Money, ProductId};
//!
//! const PRICE: &str = "SELECT price FROM products WHERE id = $1";
//! static LOCKED: Statement = Statement::new(|db| format!("{PRICE} {}", db.row_lock("FOR UPDATE")));
//!
//! async fn price(db: &Database, id: ProductId) -> Result<Option<Money>, StoreError> {
//!     query(PRICE).bind(id).fetch_optional_scalar(&mut db.reader().await?).await
//! }
//!
//! async fn raise(db: &Database, id: ProductId, by: Money, effects: &Effects) -> Result<bool, StoreError> {
//!     let mut tx = db.begin().await?;
//!     let Some(row) = query(&LOCKED).bind(id).fetch_optional(&mut tx).await? else { return Ok(false) };
//!     let price: Money = row.get("price")?;
//!     query("UPDATE products SET price = $1 WHERE id = $2")
//!         .bind(price.cents() + by.cents())
//!         .bind(id)
//!         .execute(&mut tx)
//!         .await?;
//!     db.commit(tx, effects).await?;
//!     Ok(true)
//! }
//! ```

#[cfg(feature = "sqlite")]
mod codec;
mod commit;
mod connection;
mod constraint;
mod dialect;
pub mod failpoints;
pub mod fragments;
mod handle;
pub mod idempotency;
mod lease_end;
mod listing;
pub mod mail_queue;
pub mod outbox;
mod page;
#[cfg(feature = "postgres")]
mod postgres_pool;
pub mod private_files;
mod query;
pub mod revocations;
mod row;
pub mod row_count_gauge;
pub mod schema;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite_file;
mod statement;
pub mod store;
pub mod transaction_effects;
mod value;
#[cfg(feature = "sqlite")]
pub(crate) mod writer_probe;

#[cfg(feature = "sqlite")]
pub(crate) use codec::{from_millis, to_millis};
pub use connection::{Connection, Tx};
pub use constraint::map_constraint;
pub use dialect::Dialect;
pub use handle::{Database, Migrations};
pub use listing::{Listing, OrderBy, RowPage};
pub use mail_queue::{NewMail, QueuedMail};
pub use page::{NEWEST_FIRST, Page, Period, Start, newest_first_key};
pub use query::{Fragment, Query, QueryBuilder, query};
pub use row::{Column, FromColumn, Nullable, Row};
pub use statement::{Sql, Statement};
pub use store::{StoreError, StoreMetrics};
pub use transaction_effects::{Effects, InboxRecord, OutboxEvent};
pub use value::{IntoValue, Value};
