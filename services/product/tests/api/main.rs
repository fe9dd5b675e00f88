//! The product service over HTTP, with a small order service and a token endpoint beside it.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not find ends it")]

mod catalogue;
mod contract;
mod editing;
mod expiring;
mod hearing;
mod images;
mod listing;
mod platform;
mod reserving;
mod reviewing;
mod scopes;
mod stock;
mod support;
