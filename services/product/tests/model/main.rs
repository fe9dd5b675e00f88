//! Random commands against the store of pieces and reservations, and against a small model of it.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not find ends it")]

mod pieces;
mod plan;
mod shop;

use common::outbox::Outbox;
use common::postgres::Postgres;
use common::sqlite::Sqlite;
use product_service::NAME;
use product_service::store::{Stores, postgres, sqlite};
use testkit::model::Subject;

/// A store that all plans are tried on, one after the other.
struct Fixture {
    stores: Stores,
    outbox: Outbox,
    _directory: Option<tempfile::TempDir>,
}

async fn in_sqlite() -> Option<Fixture> {
    let directory = tempfile::tempdir().unwrap();
    let db = Sqlite::open(&directory.path().join("product.db"), NAME, &sqlite::MIGRATIONS).await.unwrap();
    Some(Fixture { stores: sqlite::stores(&db), outbox: db.outbox(), _directory: Some(directory) })
}

async fn in_postgres() -> Option<Fixture> {
    let url = testkit::servers::postgres().await?.database().await.parse().unwrap();
    let db = Postgres::open(&url, NAME, &postgres::MIGRATIONS).await.unwrap();
    Some(Fixture { stores: postgres::stores(&db), outbox: db.outbox(), _directory: None })
}

#[test]
fn stock_in_sqlite_is_as_its_model() {
    Subject { name: "stock", store: "sqlite", cases: 48 }.check(in_sqlite, plan::plans(), &shop::follow);
}

#[test]
fn stock_in_postgres_is_as_its_model() {
    Subject { name: "stock", store: "postgres", cases: 16 }.check(in_postgres, plan::plans(), &shop::follow);
}
