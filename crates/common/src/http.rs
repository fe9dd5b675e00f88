//! Shared HTTP layer: strict request parsing, uniform errors, request ids, tracing, deadlines, access log and metrics.
//!
//! ```no_run
//! use common::http::{ApiError, Json, Validator};
//!
//! #[derive(serde::Deserialize)]
//! struct CreateNoteRequest {
//!     text: Option<String>,
//! }
//!
//! async fn create_note(Json(request): Json<CreateNoteRequest>) -> Result<Json<String>, ApiError> {
//!     let mut validator = Validator::new();
//!     let text = validator.text("text", request.text, 1..=200);
//!     Ok(Json(validator.finish(text)?))
//! }
//! ```

mod error;
mod extract;
mod free_json;
mod headers;
mod health;
pub mod idempotent;
mod limits;
pub mod load_shed;
mod long_poll;
mod normalize_path;
mod openapi;
pub mod ops;
mod overload;
pub mod pagination;
mod receive;
mod request_id;
mod router;
pub mod search_text;
mod settings;
mod shared_state;
mod telemetry;
pub mod text;
mod trusted_proxies;
pub mod validation;

pub use error::ApiError;
pub use extract::{
    AdminOnly, AdminOr, CallerIfAny, ClientAddr, Json, Json422, OptionalCaller, OptionalJson, Path, Query,
    RequiredScope, ServiceWith, SignedInUser, UserOr, double_option, scope,
};
pub use health::{DependencyReport, DependencyStatus, Health, HealthReport};
pub use long_poll::{LongPoll, LongPolls, RequestPlace};
pub use openapi::OpenApiInfo;
pub use router::with_platform_layers;
pub use settings::{HttpSettings, Uploads};
pub use shared_state::SharedState;
pub use trusted_proxies::TrustedProxies;
pub use validation::{Validator, normalize_email};

pub use crate::config::TrustedProxy;
