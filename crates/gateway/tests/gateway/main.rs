//! Tests of the gateway over real connections, with stub servers as services.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod access_log;
mod connections;
mod cors;
mod harness;
mod headers;
mod instances;
mod malformed;
mod metrics;
mod rate_limit;
mod request_id;
mod responses;
mod routing;
mod shutdown;
mod size_limit;
mod streaming;
