//! Addresses of the backends that a service uses. They are displayed without passwords.

mod bus;
mod cache;
mod database;
mod postgres;
mod sqlite;

pub use bus::{AmqpUrl, BusUrl};
pub use cache::{CacheUrl, RedisUrl};
pub use database::DatabaseUrl;
pub use postgres::PostgresUrl;
pub use sqlite::sqlite_path;
