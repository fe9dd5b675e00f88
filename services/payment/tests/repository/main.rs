//! Repository of payments on both databases: conformance, query plans, and a model test of the payment rules.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not find ends it")]

mod conformance;
mod fixture;
mod lists;
mod model;
mod query_plans;
