//! What every service does alike over HTTP: requests are read strictly, refusals have one form, and each request has an
//! id, a trace, a deadline, a log line and a metric.

pub mod check;
pub mod context;
mod docs;
mod error;
mod extract;
mod free_json;
mod guard;
mod headers;
mod health;
pub mod idempotent;
mod observe;
pub mod ops;
mod receive;
mod router;
pub mod shed;
mod slash;
mod trusted_proxies;

pub use check::{Checks, normalize_email};
pub use docs::OpenApiInfo;
pub use error::ApiError;
pub use extract::{ClientAddr, Json, Json422, OptionalJson, Path, Query, cleared};
pub use health::{DependencyReport, DependencyStatus, Health, HealthReport};
pub use router::{HttpSettings, finish};
pub use trusted_proxies::{TrustedProxies, TrustedProxy};
