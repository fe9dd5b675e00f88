//! Logs, metrics and traces of a process, and the clock.
//!
//! Spans follow the semantic conventions of OpenTelemetry and are exported by OTLP over HTTP if an endpoint is set; the
//! trace context is propagated by W3C `traceparent`. Spans and log lines contain nothing personal or secret.
//!
//! ```
//! use common::telemetry::Metrics;
//!
//! let metrics = Metrics::new();
//! metrics.counter_vec("orders_total", "Orders.", &["status"]).with_label_values(&["paid"]).inc();
//! assert!(metrics.render().contains("orders_total{status=\"paid\"} 1"));
//! ```

#[cfg(test)]
mod captured;
pub mod clock;
mod dropped;
mod ecs_format;
mod error_chain;
mod inherited_fields;
mod logging;
pub mod metrics;
mod options;
mod order_id;
mod otlp;
pub(crate) mod sampling;
mod text_format;
mod tls;

pub use clock::{Clock, ManualClock, SharedClock, SystemClock};
pub use dropped::spans_dropped;
pub use error_chain::{BoxError, error_chain};
pub use logging::{Guard, init};
pub use metrics::Metrics;
pub use options::{DEFAULT_FILTER, Format, Options};
pub use order_id::record_order_id;
pub use tls::install_tls;
pub use trace_context::{TRACEPARENT, continue_trace, http_span, trace_id, traceparent, traceparent_of};
