//! HTTP layer: authentication, form parameters, responses, idempotency and fault injection.

pub(crate) mod auth;
pub(crate) mod execute;
pub(crate) mod fault_layer;
pub(crate) mod list;
pub(crate) mod params;
pub(crate) mod parse;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod telemetry;
