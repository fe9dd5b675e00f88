//! Tests of the product service over HTTP, with stubs of the services that it calls.

#![expect(clippy::unwrap_used, reason = "a failed precondition ends the test")]

mod contract;
mod event_handling;
mod images;
mod pictures;
mod platform;
mod product_changes;
mod product_filters;
mod product_lists;
mod products;
mod reservation_expiry;
mod reservations;
mod reviews;
mod scopes;
mod stock;
mod support;
