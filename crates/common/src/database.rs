//! Database of a service: connections, transactions, effects, and the tables that all services share.

pub mod effects;
pub mod failpoints;
pub mod idempotency;
mod lease_end;
pub mod outbox;
pub mod postgres;
pub mod private_files;
pub mod revocations;
pub mod row_count_gauge;
pub mod schema;
pub mod sqlite;
pub mod store;
