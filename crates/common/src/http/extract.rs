//! Extractors of requests, with uniform errors.

mod caller;
mod client_addr;
mod double_option;
mod json;
mod json_error;
mod media_type;
mod path;
mod query;
pub mod scope;

pub use caller::{AdminOnly, AdminOr, CallerIfAny, OptionalCaller, ServiceWith, SignedInUser, UserOr};
pub use client_addr::ClientAddr;
pub use double_option::double_option;
pub use json::{Json, Json422, OptionalJson};
pub(super) use json::{read_bytes, too_large, unreadable};
pub use path::Path;
pub use query::Query;
pub use scope::RequiredScope;
