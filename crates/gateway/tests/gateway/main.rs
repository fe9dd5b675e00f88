//! The gateway over real connections, in front of small servers that stand for the services.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod answers;
mod connections;
mod cors;
mod harness;
mod headers;
mod instances;
mod log;
mod malformed;
mod metrics;
mod rate_limit;
mod request_id;
mod routing;
mod shutdown;
mod size_limit;
mod streaming;
