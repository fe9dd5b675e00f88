//! Tests of the order service over HTTP, with stubs of the services that it calls.

#![expect(clippy::unwrap_used, reason = "a failed precondition ends the test")]

mod abandon_order;
mod cancel_order;
mod carts;
mod claim_cart;
mod contract;
mod deleted_accounts;
mod event_handling;
mod get_order;
mod idempotency;
mod limits;
mod list_orders;
mod model;
mod order_cart;
mod order_summary;
mod pay_order;
mod payment_deadline;
mod place_order;
mod place_order_errors;
mod platform;
mod scopes;
mod support;
mod timeline;
mod update_order;
