//! Random requests, reports, webhooks and lost leases against an order's account, and against a small model of the
//! provider and of what the order wants.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not find ends it")]

mod plan;
mod provider;
mod till;

use std::sync::Arc;

use common::postgres::Postgres;
use common::sqlite::Sqlite;
use payment_service::NAME;
use payment_service::store::Payments;
use payment_service::store::postgres::{self, PostgresPayments};
use payment_service::store::sqlite::{self, SqlitePayments};
use testkit::model::Subject;

/// A store that all plans are tried on, one after the other.
struct Fixture {
    store: Arc<dyn Payments>,
    _directory: Option<tempfile::TempDir>,
}

async fn in_sqlite() -> Option<Fixture> {
    let directory = tempfile::tempdir().unwrap();
    let db = Sqlite::open(&directory.path().join("payment.db"), NAME, &sqlite::MIGRATIONS).await.unwrap();
    Some(Fixture { store: Arc::new(SqlitePayments::new(db)), _directory: Some(directory) })
}

async fn in_postgres() -> Option<Fixture> {
    let url = testkit::servers::postgres().await?.database().await.parse().unwrap();
    let db = Postgres::open(&url, NAME, &postgres::MIGRATIONS).await.unwrap();
    Some(Fixture { store: Arc::new(PostgresPayments::new(db)), _directory: None })
}

#[test]
fn payments_in_sqlite_are_as_their_model() {
    Subject { name: "payments", store: "sqlite", cases: 48 }.check(in_sqlite, plan::plans(), &till::follow);
}

#[test]
fn payments_in_postgres_are_as_their_model() {
    Subject { name: "payments", store: "postgres", cases: 16 }.check(in_postgres, plan::plans(), &till::follow);
}
