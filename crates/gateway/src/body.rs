//! Streamed bodies of requests and responses.

mod request;
mod response;
mod upload;

pub(crate) use request::RequestBody;
pub(crate) use response::ResponseBody;
pub(crate) use upload::{UploadProgress, UploadState};

/// Error of reading a body, such as a body that ends early.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;
