//! Several instances of a service, discovery by discovery.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::any;
use gateway::{Discover, InFlightRequest, Instance, Options};
use http::StatusCode;

use crate::harness::{ALL, Running, echo, header, json_of, raw_upstream, serve, start, unused_address, within};

/// Discovery that returns these instances in order, then the last one forever, and records their results.
#[derive(Default)]
struct StubDiscovery {
    next: Mutex<VecDeque<SocketAddr>>,
    results: Arc<Mutex<Vec<(SocketAddr, &'static str)>>>,
}

struct StubRequest(SocketAddr, Arc<Mutex<Vec<(SocketAddr, &'static str)>>>);

impl InFlightRequest for StubRequest {
    fn completed(&self, healthy: bool) {
        self.1.lock().unwrap().push((self.0, if healthy { "healthy" } else { "unhealthy" }));
    }
}

impl Discover for StubDiscovery {
    fn pick(&self, host: &str) -> Option<Instance> {
        assert_eq!(host, "orders");
        let mut next = self.next.lock().unwrap();
        let address = if next.len() > 1 { next.pop_front()? } else { *next.front()? };
        let request = Box::new(StubRequest(address, self.results.clone()));
        Some(Instance { authority: address.to_string().parse().unwrap(), request })
    }

    fn failed(&self, service: &str, host: &str, port: u16) {
        assert_eq!(service, "orders");
        self.results.lock().unwrap().push((format!("{host}:{port}").parse().unwrap(), "refused"));
    }
}

impl StubDiscovery {
    fn of(instances: impl IntoIterator<Item = SocketAddr>) -> Arc<Self> {
        Arc::new(Self { next: Mutex::new(instances.into_iter().collect()), ..Self::default() })
    }

    fn results(&self) -> Vec<(SocketAddr, &'static str)> {
        self.results.lock().unwrap().clone()
    }
}

async fn gateway(discovery: &Arc<StubDiscovery>, fields: &str) -> Running {
    let yaml =
        format!("_format_version: \"3.0\"\nservices:\n- name: orders\n  url: http://orders:3003\n{fields}\n{ALL}\n");
    let discover: Arc<dyn Discover> = discovery.clone();
    start(&yaml, Options { discover: Some(discover), ..Options::default() }).await
}

#[tokio::test]
async fn each_request_goes_to_the_instance_picked_for_it() {
    let (one, other) = (serve(echo("one")).await, serve(echo("other")).await);
    let discovery = StubDiscovery::of([one, other, one, other]);
    let gateway = gateway(&discovery, "").await;
    for expected in ["one", "other", "one", "other", "other"] {
        assert_eq!(json_of(gateway.get("/").await).await["service"], expected);
    }
    let results = [one, other, one, other, other].map(|address| (address, "healthy"));
    assert_eq!(discovery.results(), results);
}

#[tokio::test]
async fn unreachable_instance_is_replaced_whatever_the_method() {
    let ((dead, socket), alive) = (unused_address(), serve(echo("alive")).await);
    let discovery = StubDiscovery::of([dead, alive, dead, alive, dead]);
    let gateway = gateway(&discovery, "").await;
    for method in ["POST", "GET"] {
        let response = within(gateway.request(method, "/").body("paid once").send()).await.unwrap();
        let echo = json_of(response).await;
        assert_eq!((&echo["service"], &echo["body"]), (&"alive".into(), &"paid once".into()));
    }
    assert_eq!(
        discovery.results(),
        [(dead, "refused"), (dead, "refused")],
        "the response of another instance is not recorded for it"
    );

    // Connections to the other instance are not reused for it after it recovered.
    let listener = socket.listen(16).unwrap();
    tokio::spawn(async move { axum::serve(listener, echo("risen")).await });
    assert_eq!(json_of(gateway.get("/").await).await["service"], "risen");
}

#[tokio::test]
async fn unreachable_instances_are_503() {
    let (dead, _socket) = unused_address();
    let gateway = gateway(&StubDiscovery::of([dead]), "").await;
    assert_eq!(gateway.get("/").await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn instance_that_is_unavailable_breaks_off_or_times_out_is_reported() {
    let unavailable = serve(Router::new().fallback(any(async || StatusCode::SERVICE_UNAVAILABLE))).await;
    let conflicting = serve(Router::new().fallback(any(async || StatusCode::CONFLICT))).await;
    let hanging = serve(Router::new().fallback(any(std::future::pending::<StatusCode>))).await;
    let (broken, _task) = raw_upstream("").await;
    let discovery = StubDiscovery::of([unavailable, conflicting, hanging, broken]);
    let gateway = gateway(&discovery, "  read_timeout: 200").await;
    let expected =
        [StatusCode::SERVICE_UNAVAILABLE, StatusCode::CONFLICT, StatusCode::GATEWAY_TIMEOUT, StatusCode::BAD_GATEWAY];
    for status in expected {
        let response = gateway.get("/").await;
        assert_eq!(response.status(), status, "{:?}", header(&response, "content-type"));
    }
    let results = [(unavailable, "unhealthy"), (conflicting, "healthy"), (hanging, "unhealthy"), (broken, "unhealthy")];
    assert_eq!(discovery.results(), results);
}
