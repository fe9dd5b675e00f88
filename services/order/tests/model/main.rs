//! Random commands and events against the store of orders, and against a small model of it.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not find ends it")]

mod book;
mod money;
mod orders;
mod plan;

use std::sync::Arc;

use common::outbox::Outbox;
use common::postgres::Postgres;
use common::sqlite::Sqlite;
use order_service::NAME;
use order_service::store::Orders;
use order_service::store::postgres::{self, PostgresOrders};
use order_service::store::sqlite::{self, SqliteOrders};
use testkit::model::Subject;

/// A store that all plans are tried on, one after the other.
struct Fixture {
    store: Arc<dyn Orders>,
    outbox: Outbox,
    _directory: Option<tempfile::TempDir>,
}

async fn in_sqlite() -> Option<Fixture> {
    let directory = tempfile::tempdir().unwrap();
    let db = Sqlite::open(&directory.path().join("order.db"), NAME, &sqlite::MIGRATIONS).await.unwrap();
    let outbox = db.outbox();
    Some(Fixture { store: Arc::new(SqliteOrders::new(db)), outbox, _directory: Some(directory) })
}

async fn in_postgres() -> Option<Fixture> {
    let url = testkit::servers::postgres().await?.database().await.parse().unwrap();
    let db = Postgres::open(&url, NAME, &postgres::MIGRATIONS).await.unwrap();
    let outbox = db.outbox();
    Some(Fixture { store: Arc::new(PostgresOrders::new(db)), outbox, _directory: None })
}

#[test]
fn orders_in_sqlite_are_as_their_model() {
    Subject { name: "orders", store: "sqlite", cases: 48 }.check(in_sqlite, plan::plans(), &book::follow);
}

#[test]
fn orders_in_postgres_are_as_their_model() {
    Subject { name: "orders", store: "postgres", cases: 16 }.check(in_postgres, plan::plans(), &book::follow);
}
