//! Tests of the sandbox over TCP, as the fleet and a browser call it.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod browser;
mod confirm;
mod faults;
mod hosted_page;
mod idempotency;
mod intents;
mod lists;
mod refunds;
mod restart;
mod support;
mod three_d_secure;
mod webhooks;
