//! Bodies as they flow through, in both directions, a piece at a time.

mod request;
mod response;
mod transfer;

pub(crate) use request::RequestBody;
pub(crate) use response::ResponseBody;
pub(crate) use transfer::{Stage, Transfer};

/// What a body that breaks off says.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;
