//! Tests of the order repository on each database.

#![expect(clippy::unwrap_used, reason = "a failed precondition ends the test")]

mod cart_concurrency;
mod carts;
mod concurrency;
mod conformance;
mod fixture;
mod lists;
mod model;
mod query_plans;
mod unpaid;
