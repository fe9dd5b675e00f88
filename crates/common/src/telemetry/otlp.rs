//! Export of spans that never blocks: spans that exceed the queue or cannot be sent are dropped and counted.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_otlp::{Protocol, SpanExporter as Otlp, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, Span, SpanData, SpanExporter, SpanProcessor,
};

use super::options::Options;
use super::{dropped, tls};
use crate::BoxError;

/// Maximum number of queued spans of about 1 KB each.
const QUEUE_CAPACITY: usize = 8192;
/// Maximum time of an export.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Attribute that names the service of a span, for processes with several services.
const SERVICE: &str = "service.name";

/// Creates a provider that sends spans to a collector.
///
/// # Errors
/// The endpoint is invalid.
pub(super) fn provider(options: &Options, endpoint: &str) -> Result<SdkTracerProvider, BoxError> {
    let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
    let wrong = |why: &dyn std::fmt::Display| {
        format!("OTEL_EXPORTER_OTLP_ENDPOINT is invalid: {why}; for example http://127.0.0.1:4318")
    };
    url.parse::<url::Url>().map_err(|error| wrong(&error))?;
    tls::install_tls();
    // The blocking client starts its own runtime, which is not allowed within another runtime.
    let client = std::thread::spawn(|| reqwest::blocking::Client::builder().timeout(TIMEOUT).no_proxy().build());
    let client = client.join().map_err(|_| "the HTTP client could not be built")??;
    let (version, environment) = (options.version.clone(), options.environment.clone());
    let make = move |service: &str| {
        let exporter = Otlp::builder().with_http().with_http_client(client.clone()).with_protocol(Protocol::HttpBinary);
        let mut exporter =
            exporter.with_endpoint(&url).with_timeout(TIMEOUT).build().map_err(|error| error.to_string())?;
        let about = [("service.version", &version), ("deployment.environment.name", &environment)];
        let about = about.map(|(name, value)| KeyValue::new(name, value.clone()));
        let resource = Resource::builder().with_service_name(service.to_owned()).with_attributes(about).build();
        exporter.set_resource(&resource);
        Ok(exporter)
    };
    make(options.service).map_err(|error: String| wrong(&error))?;
    let bounded = BoundedProcessor::new(options.service, Box::new(make));
    Ok(SdkTracerProvider::builder().with_span_processor(bounded).with_sampler(options.sampler.clone()).build())
}

type MakeExporter<E> = Box<dyn Fn(&str) -> Result<E, String> + Send + Sync>;

/// Exporter that sends each span under the name of its service.
struct PerServiceExporter<E> {
    make: MakeExporter<E>,
    default: &'static str,
    exporters: Mutex<HashMap<String, Arc<E>>>,
    waiting: Arc<AtomicUsize>,
}

impl<E> std::fmt::Debug for PerServiceExporter<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PerServiceExporter").field("default", &self.default).finish_non_exhaustive()
    }
}

impl<E> PerServiceExporter<E> {
    fn exporter(&self, service: &str) -> Result<Arc<E>, String> {
        let mut exporters = self.exporters.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = exporters.get(service) {
            return Ok(known.clone());
        }
        let made = Arc::new((self.make)(service)?);
        exporters.insert(service.to_owned(), made.clone());
        Ok(made)
    }
}

impl<E: SpanExporter> SpanExporter for PerServiceExporter<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.waiting.fetch_sub(batch.len(), Ordering::Relaxed);
        let mut by_service: HashMap<String, Vec<SpanData>> = HashMap::new();
        for mut span in batch {
            let service = service_of(&span).unwrap_or(self.default).to_owned();
            span.attributes.retain(|attribute| attribute.key.as_str() != SERVICE);
            by_service.entry(service).or_default().push(span);
        }
        for (service, spans) in by_service {
            let count = u64::try_from(spans.len()).unwrap_or(u64::MAX);
            let sent = match self.exporter(&service) {
                Ok(exporter) => exporter.export(spans).await.map_err(|error| error.to_string()),
                Err(error) => Err(error),
            };
            if let Err(error) = sent {
                dropped::count(&service, count, &error);
            }
        }
        Ok(())
    }
}

/// Processor with a bounded queue; its inner processor exports from its own thread.
#[derive(Debug)]
struct BoundedProcessor {
    default: &'static str,
    waiting: Arc<AtomicUsize>,
    batches: BatchSpanProcessor,
}

impl BoundedProcessor {
    fn new<E: SpanExporter + 'static>(default: &'static str, make: MakeExporter<E>) -> Self {
        let waiting = Arc::<AtomicUsize>::default();
        let exporter = PerServiceExporter { make, default, exporters: Mutex::default(), waiting: waiting.clone() };
        // The inner queue has the same capacity, so it accepts every admitted span.
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE_CAPACITY)
            .with_scheduled_delay(Duration::from_secs(1));
        let batches = BatchSpanProcessor::builder(exporter).with_batch_config(config.build()).build();
        Self { default, waiting, batches }
    }
}

impl SpanProcessor for BoundedProcessor {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= QUEUE_CAPACITY {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            dropped::count(service_of(&span).unwrap_or(self.default), 1, "the queue is full");
            return;
        }
        self.batches.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

fn service_of(span: &SpanData) -> Option<&str> {
    span.attributes.iter().rev().find(|attribute| attribute.key.as_str() == SERVICE).and_then(|attribute| {
        match &attribute.value {
            Value::String(name) => Some(name.as_str()).filter(|name| !name.is_empty()),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use opentelemetry::trace::{Tracer as _, TracerProvider as _};

    use super::*;

    type Sent = Arc<Mutex<Vec<(String, Vec<SpanData>)>>>;

    /// Exporter for tests that records spans and blocks until it is released.
    #[derive(Debug)]
    struct Kept {
        service: String,
        sent: Sent,
        gate: Arc<Mutex<mpsc::Receiver<()>>>,
    }

    impl SpanExporter for Kept {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            let _ = self.gate.lock().unwrap().recv();
            self.sent.lock().unwrap().push((self.service.clone(), batch));
            Ok(())
        }
    }

    fn provider_with_recorder() -> (SdkTracerProvider, Sent, mpsc::Sender<()>) {
        let (sent, (open, gate)) = (Sent::default(), mpsc::channel());
        let (gate, keep) = (Arc::new(Mutex::new(gate)), sent.clone());
        let make =
            move |service: &str| Ok(Kept { service: service.to_owned(), sent: keep.clone(), gate: gate.clone() });
        let provider =
            SdkTracerProvider::builder().with_span_processor(BoundedProcessor::new("fleet", Box::new(make))).build();
        (provider, sent, open)
    }

    #[test]
    fn span_is_exported_under_its_service() {
        let (provider, sent, open) = provider_with_recorder();
        drop(open);
        let tracer = provider.tracer("test");
        for service in ["order-service", "payment-service"] {
            drop(tracer.span_builder("s").with_attributes([KeyValue::new(SERVICE, service)]).start(&tracer));
        }
        drop(tracer.start("s"));
        provider.shutdown().unwrap();
        let mut sent = sent.lock().unwrap().clone();
        sent.sort_by(|one, other| one.0.cmp(&other.0));
        let services: Vec<_> = sent.iter().map(|(service, spans)| (service.as_str(), spans.len())).collect();
        assert_eq!(services, [("fleet", 1), ("order-service", 1), ("payment-service", 1)]);
        assert!(sent.iter().all(|(_, spans)| spans.iter().all(|span| span.attributes.is_empty())));
    }

    #[test]
    fn excess_spans_are_dropped_and_counted() {
        let (provider, sent, open) = provider_with_recorder();
        let tracer = provider.tracer("test");
        let whose = KeyValue::new(SERVICE, "a service without a collector");
        let made = QUEUE_CAPACITY * 3;
        for _ in 0..made {
            drop(tracer.span_builder("s").with_attributes([whose.clone()]).start(&tracer));
        }
        let dropped = usize::try_from(dropped::spans_dropped("a service without a collector")).unwrap();
        assert!(dropped >= QUEUE_CAPACITY, "{dropped} were dropped");
        drop(open);
        provider.shutdown().unwrap();
        let arrived: usize = sent.lock().unwrap().iter().map(|(_, spans)| spans.len()).sum();
        assert_eq!(arrived + dropped, made, "each is sent or counted");
    }
}
