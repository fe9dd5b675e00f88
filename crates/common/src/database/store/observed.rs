//! What is seen of a store: how long each method of its ports takes, and a span within the trace that asked for it.

use std::future::Future;
use std::time::Instant;

use prometheus::{HistogramVec, IntCounter};
use tracing::{Instrument as _, Span, field};

use super::StoreError;
use crate::telemetry::metrics::Metrics;

/// Measures the calls of a service's store. Clones share what is counted.
#[derive(Clone)]
pub struct Operations {
    service: &'static str,
    system: &'static str,
    durations: HistogramVec,
    disk_full: IntCounter,
}

impl Operations {
    /// The calls of `service` to a store of this kind, by its name in OpenTelemetry's conventions (`db.system.name`).
    #[must_use]
    pub fn new(service: &'static str, system: &'static str, metrics: &Metrics) -> Self {
        let help = "Calls of the store that failed since its disk is full.";
        let disk_full = metrics.counter_vec("db_client_disk_full_total", help, &[]).with_label_values::<&str>(&[]);
        let help = "Time that calls of the store took, by port and method.";
        Self {
            disk_full,
            service,
            system,
            durations: metrics.histogram_vec("db_client_operation_duration_seconds", help, &["operation"]),
        }
    }

    /// Shows these operations from the start.
    pub fn expect(&self, operations: &[&str]) {
        for operation in operations {
            let _ = self.durations.with_label_values(&[*operation]);
        }
    }

    /// Measures a call. It is a span of the trace that it belongs to; what asks the store by itself, at intervals,
    /// makes no trace of its own.
    ///
    /// # Errors
    /// Those of the call.
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

/// Declares a store port (where `StoreError` is in scope), and an adapter `$observed` over any other that measures each
/// of its methods as `<prefix>.<method>`.
#[macro_export]
macro_rules! store_port {
    (
        $(#[$about:meta])*
        pub trait $port:ident, observed as $prefix:literal by $observed:ident {
            $(
                $(#[$method_about:meta])*
                async fn $method:ident(&self $(, $argument:ident: $type:ty)* $(,)?) -> Result<$answer:ty, StoreError>;
            )*
        }
    ) => {
        $(#[$about])*
        #[async_trait::async_trait]
        pub trait $port: Send + Sync + 'static {
            $(
                $(#[$method_about])*
                async fn $method(&self $(, $argument: $type)*) -> Result<$answer, StoreError>;
            )*
        }

        /// Measures another adapter of the port.
        pub struct $observed {
            inner: std::sync::Arc<dyn $port>,
            operations: $crate::database::store::Operations,
        }

        impl $observed {
            /// The same store, measured.
            #[must_use]
            pub fn over(
                inner: std::sync::Arc<dyn $port>,
                operations: $crate::database::store::Operations,
            ) -> std::sync::Arc<dyn $port> {
                operations.expect(&[$(concat!($prefix, ".", stringify!($method))),*]);
                std::sync::Arc::new(Self { inner, operations })
            }
        }

        #[async_trait::async_trait]
        impl $port for $observed {
            $(
                async fn $method(&self $(, $argument: $type)*) -> Result<$answer, StoreError> {
                    let operation = concat!($prefix, ".", stringify!($method));
                    self.operations.run(operation, self.inner.$method($($argument),*)).await
                }
            )*
        }
    };
}
