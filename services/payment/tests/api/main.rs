//! Payment service over HTTP, with the Stripe sandbox as provider and stubs of the other services.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not find ends it")]

mod config;
mod confirming;
mod contract;
mod creating;
mod idempotency;
mod lists;
mod order_events;
mod platform;
mod provider_agreement;
mod reading;
mod recovering;
mod refunding;
mod scopes;
mod support;
mod webhooks;
