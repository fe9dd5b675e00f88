//! Platform of all services, in floors: each floor depends only on those below it.
//!
//! | floor | content |
//! |---|---|
//! | [`runtime`] | service, platform, worker loop, health probe, fault injection as decorators |
//! | [`http`] | extractors, validation, errors, idempotency, limits, load shedding, OpenAPI, health, endpoints for operators |
//! | [`auth`] | token verifier, JWKS client, roles, service tokens, revocations |
//! | [`client`] | request builder, circuit breaker, retry budget; discovery, load balancing, Consul |
//! | [`messaging`] | bus (AMQP, SQLite), consumers, outbox relay, dead letters |
//! | [`cache`] | cache in memory or in Redis |
//! | [`database`] | connections, transactions, effects, outbox, inbox, idempotency keys |
//! | [`fault`] | faults and failpoints |
//! | [`config`] | environment reader, URLs, platform configuration |
//! | [`task`] | worker contract, shutdown, backoff, shared work, request context |
//! | [`telemetry`] | logging, metrics, traces, OTLP, error chain, clock |

pub mod auth;
pub mod cache;
pub mod client;
pub mod config;
pub mod database;
pub mod fault;
pub mod http;
pub mod messaging;
pub mod runtime;
pub mod task;
pub mod telemetry;

pub use telemetry::{BoxError, error_chain};
