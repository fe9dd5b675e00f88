//! The sandbox over real TCP, as the fleet and a browser call it.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not find ends it")]

mod behaviour;
mod browser;
mod confirm;
mod idempotency;
mod intents;
mod lists;
mod refunds;
mod restart;
mod support;
mod three_d_secure;
mod webhooks;
