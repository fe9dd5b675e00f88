//! What is logged and traced of a request. A process of its own, since a subscriber is the whole process's.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::get;
use common::fault::Faults;
use common::http::{ApiError, Health, HttpSettings, LongPolls, OpenApiInfo, TrustedProxies, with_platform_layers};
use common::telemetry;
use common::telemetry::clock::system;
use common::telemetry::metrics::Metrics;
use http_body_util::BodyExt;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde_json::Value;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use utoipa_axum::router::OpenApiRouter;

/// The log of the process.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines about this request.
    fn about(&self, request_id: &str) -> Vec<Value> {
        let lines = self.text();
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["span"]["http.request.id"] == request_id).collect()
    }
}

fn lines() -> &'static Lines {
    static LINES: OnceLock<Lines> = OnceLock::new();
    LINES.get_or_init(|| {
        let lines = Lines::default();
        let log = tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(lines.clone());
        let traces = tracing_opentelemetry::layer().with_tracer(SdkTracerProvider::builder().build().tracer("test"));
        tracing_subscriber::registry().with(log).with(traces).init();
        lines
    })
}

fn app() -> Router {
    let traceparent = || async { telemetry::traceparent().unwrap_or_default() };
    let routes = Router::new()
        .route("/api/products/{id}", get(|| async { "a product" }))
        .route("/trace", get(traceparent).post(traceparent))
        .route("/fails", get(|| async { ApiError::unavailable("The store is unavailable", "connection refused") }))
        .route("/panics", get(|| async { panic!("something is odd") as String }));
    let metrics = Metrics::new();
    let settings = HttpSettings {
        service: "test-service",
        version: "1.2.3".to_owned(),
        long_polls: LongPolls::new(&metrics),
        metrics,
        clock: system(),
        trusted_proxies: TrustedProxies::default(),
        allowed_origins: Vec::new(),
        request_timeout: Duration::from_secs(30),
        max_concurrent_requests: 256,
        faults: Faults::off(),
        uploads: None,
        in_flight: TaskTracker::new(),
    };
    let info = OpenApiInfo { title: "Test service", description: "Serves tests." };
    with_platform_layers(OpenApiRouter::from(routes), info, &settings, Health::new())
}

async fn send(method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let request = Request::builder().method(method).uri(path).header("host", "localhost");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let answer = app().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn request_is_one_log_line() {
    let lines = lines();
    let headers = [("x-request-id", "good"), ("authorization", "Bearer hidden")];
    send("GET", "/api/products/5?token=hidden", &headers).await;
    let about = lines.about("good");
    assert_eq!(about.len(), 1, "{about:?}");
    let line = &about[0];
    assert_eq!((&line["target"], &line["level"]), (&"access".into(), &"INFO".into()));
    assert_eq!(line["http.route"], "/api/products/{id}");
    assert_eq!(line["http.request.method"], "GET");
    assert_eq!(line["http.response.status_code"], 200);
    assert_eq!(line["request_id"], "good");
    assert!(line["duration_ms"].is_u64(), "{line}");
    assert!(!lines.text().contains("hidden"), "{}", lines.text());
}

#[tokio::test]
async fn failure_is_one_more_line_with_its_cause() {
    let lines = lines();
    for (path, status, cause) in
        [("/fails", 503, "connection refused"), ("/panics", 500, "handler panicked: something is odd")]
    {
        send("GET", path, &[("x-request-id", path)]).await;
        let about = lines.about(path);
        assert_eq!(about.len(), 2, "{about:?}");
        assert_eq!((&about[0]["level"], &about[0]["error"]), (&"ERROR".into(), &cause.into()));
        assert_eq!((&about[1]["target"], &about[1]["http.response.status_code"]), (&"access".into(), &status.into()));
    }
}

#[tokio::test]
async fn request_continues_its_callers_trace() {
    lines();
    let parent = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")];
    for method in ["GET", "POST"] {
        let seen = send(method, "/trace", &parent).await;
        assert!(seen.starts_with("00-0af7651916cd43dd8448eb211c80319c-"), "{seen}");
        assert!(!seen.contains("b7ad6b7169203331"), "the request is a span of its own: {seen}");
    }
    let fresh = send("GET", "/trace", &[("traceparent", "nonsense")]).await;
    assert!(fresh.starts_with("00-") && !fresh.contains("0af7651916cd43dd8448eb211c80319c"), "{fresh}");
}
