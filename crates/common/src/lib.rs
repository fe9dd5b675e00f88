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

// ---- Compatibility: the paths before the floors. To be deleted once all crates use the new ones. ----

#[doc(hidden)]
pub use telemetry::error_chain as chain;
#[doc(hidden)]
pub mod compat {
    pub mod auth {
        pub use crate::http::{
            AdminOnly, AdminOr, AdminOrService, OptionalCaller, RequiredScope, Scoped, ServiceOnly, ServiceWith,
            SignedInUser, scope,
        };
    }
}
#[doc(hidden)]
pub use database::transaction_effects as effects;
#[doc(hidden)]
pub use database::{idempotency, outbox, private_files as private, schema, store};
#[doc(hidden)]
pub use fault as faults;
#[doc(hidden)]
pub use http::text;
#[doc(hidden)]
pub use messaging::{bus, consumer};
#[doc(hidden)]
pub use telemetry::{clock, metrics};
#[doc(hidden)]
pub mod census {
    pub use crate::database::row_count_gauge::*;
}
#[doc(hidden)]
pub mod crash {
    pub use crate::database::failpoints::describe_effects;
    pub use crate::fault::failpoint::*;
}
#[doc(hidden)]
pub mod discovery {
    pub use crate::client::discovery::*;
}
#[doc(hidden)]
pub mod platform {
    pub use crate::runtime::StartError;
    pub use crate::runtime::platform::*;
}
#[doc(hidden)]
pub mod service {
    pub use crate::runtime::{DRAIN_TIMEOUT, ServeError, Service, Shutdown, StartError, main, probe};
}
#[doc(hidden)]
pub mod worker {
    pub use crate::runtime::worker::*;
    pub use crate::task::worker::*;
}
