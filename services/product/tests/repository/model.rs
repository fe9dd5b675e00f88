//! Random operations on the inventory repository and on a small model of it.

mod inventory_model;
mod runner;
mod stock_ops;

use testkit::model_test::ModelTest;

use crate::support::Fixture;

#[test]
fn sqlite_inventory_matches_its_model() {
    ModelTest { name: "stock", store: "sqlite", cases: 48 }.check(Fixture::sqlite, stock_ops::plans(), &runner::run);
}

#[test]
fn postgres_inventory_matches_its_model() {
    ModelTest { name: "stock", store: "postgres", cases: 16 }.check(
        Fixture::postgres,
        stock_ops::plans(),
        &runner::run,
    );
}
