//! The payment service over HTTP, with the Stripe sandbox as its provider and a small order service beside it.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not find ends it")]

mod confirming;
mod contract;
mod creating;
mod idempotency;
mod platform;
mod provider_agreement;
mod reading;
mod recovering;
mod refunding;
mod scopes;
mod support;
mod webhooks;
