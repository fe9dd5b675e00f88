//! Tasks: workers, shutdown, shared work, backoff, and the context of a request.
//!
//! ```
//! use std::time::Duration;
//!
//! use common::task::Backoff;
//!
//! let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
//! assert_eq!(backoff.pause(3), Duration::from_millis(400));
//! ```

pub mod backoff;
pub(crate) mod detached;
pub(crate) mod panic;
pub mod request_context;
pub mod shutdown;
pub mod worker;

pub use backoff::Backoff;
pub use shutdown::Shutdown;
pub use worker::{NextRun, Worker, WorkerError};
