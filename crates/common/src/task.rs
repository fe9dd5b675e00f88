//! Background tasks and requests as tasks: workers, the shutdown, shared work, the context of a request.

pub(crate) mod detached;
pub mod request_context;
pub mod shutdown;
pub mod worker;

pub use shutdown::Shutdown;
pub use worker::{Next, Worker, WorkerError};
