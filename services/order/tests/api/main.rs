//! The order service over HTTP, with small user, product and payment services beside it.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not find ends it")]

mod abandoning;
mod cancelling;
mod contract;
mod deleted_accounts;
mod expiring;
mod hearing;
mod idempotency;
mod limits;
mod listing;
mod paying;
mod placing;
mod platform;
mod reading;
mod refusing;
mod scopes;
mod support;
mod timeline;
mod updating;
