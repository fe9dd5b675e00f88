//! Several instances of a service, which somebody else finds.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::any;
use gateway::{Discover, Instance, Options, UnderWay};
use http::StatusCode;

use crate::harness::{ALL, Running, echo, header, json_of, nobody, raw_upstream, serve, start, within};

/// Gives these instances one after another, and the last of them for ever. Notes what comes of them.
#[derive(Default)]
struct Found {
    next: Mutex<VecDeque<SocketAddr>>,
    notes: Arc<Mutex<Vec<(SocketAddr, &'static str)>>>,
}

struct Asked(SocketAddr, Arc<Mutex<Vec<(SocketAddr, &'static str)>>>);

impl UnderWay for Asked {
    fn answered(&self, well: bool) {
        self.1.lock().unwrap().push((self.0, if well { "well" } else { "unwell" }));
    }
}

impl Discover for Found {
    fn pick(&self, host: &str) -> Option<Instance> {
        assert_eq!(host, "orders");
        let mut next = self.next.lock().unwrap();
        let address = if next.len() > 1 { next.pop_front()? } else { *next.front()? };
        let request = Box::new(Asked(address, self.notes.clone()));
        Some(Instance { authority: address.to_string().parse().unwrap(), request })
    }

    fn failed(&self, service: &str, host: &str, port: u16) {
        assert_eq!(service, "orders");
        self.notes.lock().unwrap().push((format!("{host}:{port}").parse().unwrap(), "refused"));
    }
}

impl Found {
    fn will_be(instances: impl IntoIterator<Item = SocketAddr>) -> Arc<Self> {
        Arc::new(Self { next: Mutex::new(instances.into_iter().collect()), ..Self::default() })
    }

    fn notes(&self) -> Vec<(SocketAddr, &'static str)> {
        self.notes.lock().unwrap().clone()
    }
}

async fn gateway(found: &Arc<Found>, fields: &str) -> Running {
    let yaml =
        format!("_format_version: \"3.0\"\nservices:\n- name: orders\n  url: http://orders:3003\n{fields}\n{ALL}\n");
    let discover: Arc<dyn Discover> = found.clone();
    start(&yaml, Options { discover: Some(discover), ..Options::default() }).await
}

#[tokio::test]
async fn each_request_goes_to_the_instance_that_was_found_for_it() {
    let (one, other) = (serve(echo("one")).await, serve(echo("other")).await);
    let found = Found::will_be([one, other, one, other]);
    let gateway = gateway(&found, "").await;
    for expected in ["one", "other", "one", "other", "other"] {
        assert_eq!(json_of(gateway.get("/").await).await["service"], expected);
    }
    let notes = [one, other, one, other, other].map(|address| (address, "well"));
    assert_eq!(found.notes(), notes);
}

#[tokio::test]
async fn where_one_takes_no_connection_another_is_asked_whatever_the_method() {
    let ((dead, socket), alive) = (nobody(), serve(echo("alive")).await);
    let found = Found::will_be([dead, alive, dead, alive, dead]);
    let gateway = gateway(&found, "").await;
    for method in ["POST", "GET"] {
        let answer = within(gateway.request(method, "/").body("paid once").send()).await.unwrap();
        let answer = json_of(answer).await;
        assert_eq!((&answer["service"], &answer["body"]), (&"alive".into(), &"paid once".into()));
    }
    assert_eq!(found.notes(), [(dead, "refused"), (dead, "refused")], "that another answered is no credit of its");

    // The connections that led elsewhere are not taken for its own once it lives.
    let listener = socket.listen(16).unwrap();
    tokio::spawn(async move { axum::serve(listener, echo("risen")).await });
    assert_eq!(json_of(gateway.get("/").await).await["service"], "risen");
}

#[tokio::test]
async fn where_nobody_takes_a_connection_it_is_unavailable() {
    let (dead, _socket) = nobody();
    let gateway = gateway(&Found::will_be([dead]), "").await;
    assert_eq!(gateway.get("/").await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn an_instance_that_is_unavailable_or_breaks_off_or_is_late_is_told() {
    let away = serve(Router::new().fallback(any(async || StatusCode::SERVICE_UNAVAILABLE))).await;
    let refusing = serve(Router::new().fallback(any(async || StatusCode::CONFLICT))).await;
    let hanging = serve(Router::new().fallback(any(std::future::pending::<StatusCode>))).await;
    let (broken, _task) = raw_upstream("").await;
    let found = Found::will_be([away, refusing, hanging, broken]);
    let gateway = gateway(&found, "  read_timeout: 200").await;
    let expected =
        [StatusCode::SERVICE_UNAVAILABLE, StatusCode::CONFLICT, StatusCode::GATEWAY_TIMEOUT, StatusCode::BAD_GATEWAY];
    for status in expected {
        let answer = gateway.get("/").await;
        assert_eq!(answer.status(), status, "{:?}", header(&answer, "content-type"));
    }
    let notes = [(away, "unwell"), (refusing, "well"), (hanging, "unwell"), (broken, "unwell")];
    assert_eq!(found.notes(), notes);
}
