//! The edge of a service, as its clients and the services that it calls see it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bodies;
mod callers;
mod calls;
mod deadlines;
mod floors;
mod load;
mod long_polls;
mod ops;
mod pages;
mod refusals;
mod requests;
mod revocations;
mod service_tokens;
mod support;
mod tokens;
