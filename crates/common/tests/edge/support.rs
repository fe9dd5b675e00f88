use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use common::client::discovery::{Discovery, StaticAddresses};
use common::config::{EnvReader, Environment};
use common::fault::Faults;
use common::http::{Health, HttpSettings, LongPolls, OpenApiInfo, TrustedProxies, with_platform_layers};
use common::telemetry::clock::{SharedClock, system};
use common::telemetry::metrics::Metrics;
use http::header::HOST;
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use utoipa_axum::router::OpenApiRouter;

pub(crate) fn settings() -> HttpSettings {
    let metrics = Metrics::new();
    HttpSettings {
        service: "test-service",
        version: "1.2.3".to_owned(),
        long_polls: LongPolls::new(&metrics),
        metrics,
        clock: system(),
        trusted_proxies: TrustedProxies::new(["127.0.0.0/8".parse().unwrap()]),
        allowed_origins: Vec::new(),
        request_timeout: Duration::from_secs(30),
        max_concurrent_requests: 256,
        faults: Faults::off(),
        uploads: None,
        in_flight: TaskTracker::new(),
    }
}

pub(crate) fn app(router: Router, settings: &HttpSettings) -> Router {
    finished(OpenApiRouter::from(router), settings, Health::new())
}

pub(crate) fn finished(router: OpenApiRouter, settings: &HttpSettings, health: Health) -> Router {
    with_platform_layers(router, OpenApiInfo { title: "Test service", description: "Serves tests." }, settings, health)
}

/// An answer that was read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Checks that it is a refusal in our form, with this status and code.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["type"], "about:blank");
        assert_eq!(problem["title"], self.status.canonical_reason().unwrap());
        assert_eq!(problem["status"], status);
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["detail"], problem["error"]);
        assert!(!problem["detail"].as_str().unwrap().is_empty());
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        problem
    }
}

pub(crate) async fn send(app: &Router, mut request: Request) -> Answer {
    request.headers_mut().entry(HOST).or_insert(HeaderValue::from_static("localhost"));
    let (parts, body) = app.clone().oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Answer { status: parts.status, headers: parts.headers, body }
}

pub(crate) async fn get(app: &Router, path: &str) -> Answer {
    send(app, Request::get(path).body(Body::empty()).unwrap()).await
}

pub(crate) async fn get_with(app: &Router, path: &str, headers: &[(&str, &str)]) -> Answer {
    let request = headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
    send(app, request.body(Body::empty()).unwrap()).await
}

pub(crate) async fn post(app: &Router, path: &str, content_type: Option<&str>, body: impl Into<Body>) -> Answer {
    let mut request = Request::post(path);
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    send(app, request.body(body.into()).unwrap()).await
}

/// Serves on a free port until the test ends; the answer is its address.
pub(crate) async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app.into_make_service_with_connect_info::<std::net::SocketAddr>();
    tokio::spawn(axum::serve(listener, app).into_future());
    format!("http://{address}")
}

/// An address that nobody listens on.
pub(crate) async fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// Finds the user service at `url`.
pub(crate) fn discovery(url: &str) -> Discovery {
    let env = Environment::from_pairs([("USER_SERVICE_URL", url)]);
    Discovery::fixed(StaticAddresses::read(&mut EnvReader::new(&env)).unwrap())
}

pub(crate) fn client(url: &str, clock: SharedClock) -> common::client::ServiceClient {
    common::client::ServiceClient::new("test-service", discovery(url), clock, &Metrics::new())
}

/// Polls until `probe` returns a value, for a minute at most.
pub(crate) async fn until<T, F, Fut>(what: &str, probe: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    testkit::eventually(what, Duration::from_secs(60), probe).await
}
