//! What handlers read requests by. Whatever cannot be read is refused in the one form.

mod cleared;
mod client_addr;
mod json;
mod json_error;
mod media_type;
mod path;
mod query;

pub use cleared::cleared;
pub use client_addr::ClientAddr;
pub use json::{Json, Json422, OptionalJson};
pub(super) use json::{read_bytes, too_large, unreadable};
pub use path::Path;
pub use query::Query;
