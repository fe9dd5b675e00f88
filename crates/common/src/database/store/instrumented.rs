//! Instrumentation of stores: the duration of each method of a repository, and a span in the trace of its caller.

use std::future::Future;
use std::time::Instant;

use prometheus::{HistogramVec, IntCounter};
use tracing::{Instrument as _, Span, field};

use super::StoreError;
use crate::telemetry::metrics::Metrics;

/// Metrics of the calls to a service's repositories. Clones share them.
#[derive(Clone)]
pub struct StoreMetrics {
    service: &'static str,
    system: &'static str,
    durations: HistogramVec,
    disk_full: IntCounter,
}

impl StoreMetrics {
    /// Creates the metrics of calls of `service` to a kind of store, by its name in OpenTelemetry's conventions
    /// (`db.system.name`).
    #[must_use]
    pub fn new(service: &'static str, system: &'static str, metrics: &Metrics) -> Self {
        let help = "Calls to the store that failed because its disk is full.";
        let disk_full = metrics.counter_vec("db_client_disk_full_total", help, &[]).with_label_values::<&str>(&[]);
        let help = "Duration of calls to the store, by repository and method.";
        Self {
            disk_full,
            service,
            system,
            durations: metrics.histogram_vec("db_client_operation_duration_seconds", help, &["operation"]),
        }
    }

    /// Registers operations, so that they are shown before their first call.
    pub fn preregister(&self, operations: &[&str]) {
        for operation in operations {
            let _ = self.durations.with_label_values(&[*operation]);
        }
    }

    /// Measures a call. The call is a span of its caller's trace; calls outside of a trace, such as those of periodic
    /// workers, create none.
    ///
    /// # Errors
    /// Errors of the call.
    pub async fn run<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let span = if Span::current().is_none() { Span::none() } else { self.span(operation) };
        let begun = Instant::now();
        let outcome = call.instrument(span.clone()).await;
        self.durations.with_label_values(&[operation]).observe(begun.elapsed().as_secs_f64());
        if let Err(error) = &outcome
            && error.is_failure()
        {
            if matches!(error, StoreError::DiskFull(_)) {
                self.disk_full.inc();
            }
            span.record("otel.status_code", "ERROR");
            span.record("error.type", error.kind());
        }
        outcome
    }

    fn span(&self, operation: &'static str) -> Span {
        tracing::info_span!(
            "db",
            otel.name = operation,
            otel.kind = "client",
            otel.status_code = field::Empty,
            service.name = self.service,
            db.system.name = self.system,
            db.operation.name = operation,
            error.type = field::Empty,
        )
    }
}

/// Declares a repository's trait (where `StoreError` is in scope) and a decorator `$instrumented` that measures each of its
/// methods as `<prefix>.<method>`.
#[macro_export]
macro_rules! repository_trait {
    (
        $(#[$about:meta])*
        pub trait $port:ident, instrumented as $prefix:literal by $instrumented:ident {
            $(
                $(#[$method_about:meta])*
                async fn $method:ident(&self $(, $argument:ident: $type:ty)* $(,)?) -> Result<$output:ty, StoreError>;
            )*
        }
    ) => {
        $(#[$about])*
        #[async_trait::async_trait]
        pub trait $port: Send + Sync + 'static {
            $(
                $(#[$method_about])*
                async fn $method(&self $(, $argument: $type)*) -> Result<$output, StoreError>;
            )*
        }

        /// Instrumented repository.
        pub struct $instrumented {
            inner: std::sync::Arc<dyn $port>,
            metrics: $crate::database::store::StoreMetrics,
        }

        impl $instrumented {
            /// Creates the decorator of `inner`.
            #[must_use]
            pub fn new(inner: std::sync::Arc<dyn $port>, metrics: $crate::database::store::StoreMetrics) -> Self {
                metrics.preregister(&[$(concat!($prefix, ".", stringify!($method))),*]);
                Self { inner, metrics }
            }
        }

        #[async_trait::async_trait]
        impl $port for $instrumented {
            $(
                async fn $method(&self $(, $argument: $type)*) -> Result<$output, StoreError> {
                    let operation = concat!($prefix, ".", stringify!($method));
                    self.metrics.run(operation, self.inner.$method($($argument),*)).await
                }
            )*
        }
    };
}
