//! Model test: random requests, provider results, webhooks and lost leases against the payments of an order, compared
//! with a small model of the provider and of what the order wants.

mod invariants;
mod payments_model;
mod plan;
mod provider;
mod provider_calls;

use testkit::model_test::ModelTest;

use crate::fixture::Fixture;

#[test]
fn payments_on_sqlite_match_the_model() {
    ModelTest { name: "payments", store: "sqlite", cases: 48 }.check(
        Fixture::sqlite,
        plan::plans(),
        &payments_model::run,
    );
}

#[test]
fn payments_on_postgres_match_the_model() {
    ModelTest { name: "payments", store: "postgres", cases: 16 }.check(
        Fixture::postgres,
        plan::plans(),
        &payments_model::run,
    );
}
