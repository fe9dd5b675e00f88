//! Runtime of a service: composition, life cycle, workers and health probe.
//!
//! ```no_run
//! use common::runtime::{Shutdown, ServeError, Service};
//!
//! async fn serve(service: Service, listener: tokio::net::TcpListener) -> Result<(), ServeError> {
//!     service.serve(listener, Shutdown::on_signals()).await
//! }
//! ```

mod entry_point;
mod faulty_bus;
mod faulty_cache;
pub mod platform;
pub mod probe;
mod service;
mod service_builder;
mod start_error;
pub mod worker;

pub use entry_point::main;
pub use platform::Platform;
pub use service::{ServeError, Service};
pub use service_builder::{Backend, ServiceBuilder};
pub use start_error::StartError;

pub use crate::task::shutdown::{DRAIN_TIMEOUT, Shutdown};
pub use crate::task::worker::{NextRun, Worker, WorkerError};
