//! The user service over HTTP.
#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect fails")]

mod accounts;
mod auth;
mod harness;
mod service_tokens;
mod sessions;
