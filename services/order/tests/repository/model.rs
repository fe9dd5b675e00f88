//! Model test: random commands and events against the repository and a small model of it.

use testkit::model_test::ModelTest;

use crate::fixture::Fixture;

mod orders_model;
mod payment_events;
mod plan;
mod runner;

#[test]
fn sqlite_orders_match_the_model() {
    ModelTest { name: "orders", store: "sqlite", cases: 48 }.check(Fixture::sqlite, plan::plans(), &runner::run);
}

#[test]
fn postgres_orders_match_the_model() {
    ModelTest { name: "orders", store: "postgres", cases: 16 }.check(Fixture::postgres, plan::plans(), &runner::run);
}
