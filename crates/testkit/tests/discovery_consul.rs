//! Discovery by a real Consul: instances come, go, fail, and are forgotten.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use common::discovery::{Consul, Discovery, Peers, Registration, ServiceName};
use common::service::Shutdown;
use serde_json::{Value, json};
use testkit::{eventually, servers};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const DEADLINE: Duration = Duration::from_secs(60);

/// Something that is well, at an address of its own.
async fn instance() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().route("/health/ready", get(async || "ready"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

struct Registered {
    shutdown: Shutdown,
    kept: JoinHandle<()>,
}

fn register(consul: &Consul, name: ServiceName, address: SocketAddr) -> Registered {
    let registration = Registration::new(consul.clone(), name.as_str(), "127.0.0.1".to_owned(), "1.2.3".to_owned());
    let shutdown = Shutdown::new();
    let kept = tokio::spawn(registration.keep(address, shutdown.clone()));
    Registered { shutdown, kept }
}

impl Registered {
    async fn leave(self) {
        self.shutdown.trigger();
        self.kept.await.unwrap();
    }
}

fn consul(server: &servers::Consul) -> Consul {
    Consul::new(server.url().parse().unwrap()).unwrap()
}

fn discovery(consul: &Consul) -> Discovery {
    Discovery::by_consul(consul.clone(), Peers::default())
}

/// The ports that are found in many tries.
async fn found(discovery: &Discovery) -> BTreeSet<u16> {
    let mut ports = BTreeSet::new();
    for _ in 0..50 {
        if let Ok(found) = discovery.resolve(ServiceName::Order).await {
            ports.insert(found.url.port().unwrap());
        }
    }
    ports
}

async fn until_found(discovery: &Discovery, what: &str, ports: &[u16]) {
    let ports: BTreeSet<_> = ports.iter().copied().collect();
    eventually(what, DEADLINE, || async { (found(discovery).await == ports).then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_are_found_until_they_leave() {
    let Some(server) = servers::Consul::start().await else { return };
    let consul = consul(&server);
    let discovery = discovery(&consul);
    assert!(discovery.resolve(ServiceName::Order).await.is_err(), "nobody is there yet");
    discovery.ping().await.unwrap();
    let (one, other) = (instance().await, instance().await);
    let (first, _second) = (register(&consul, ServiceName::Order, one), register(&consul, ServiceName::Order, other));
    until_found(&discovery, "both are found", &[one.port(), other.port()]).await;
    first.leave().await;
    until_found(&discovery, "the one that stayed is found alone", &[other.port()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fixed_addresses_win() {
    let Some(server) = servers::Consul::start().await else { return };
    let fixed: Peers = [(ServiceName::Order, "http://127.0.0.1:1".parse().unwrap())].into_iter().collect();
    let discovery = Discovery::by_consul(consul(&server), fixed.clone());
    assert_eq!(discovery.resolve(ServiceName::Order).await.unwrap().url.port(), Some(1));
    testkit::discovery::suite(&discovery, &fixed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn consul_keeps_the_rules_of_discovery() {
    let Some(server) = servers::consul().await else { return };
    let consul = consul(server);
    let known = [(ServiceName::User, instance().await), (ServiceName::Order, instance().await)];
    let registered = known.map(|(name, address)| register(&consul, name, address));
    let discovery = discovery(&consul);
    for (name, _) in known {
        eventually("it is found", DEADLINE, || async { discovery.resolve(name).await.ok() }).await;
    }
    let known = known.map(|(name, address)| (name, format!("http://{address}").parse().unwrap()));
    testkit::discovery::suite(&discovery, &known.into_iter().collect()).await;
    for one in registered {
        one.leave().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_says_what_it_is_and_how_it_is_looked_at() {
    let Some(server) = servers::Consul::start().await else { return };
    let consul = consul(&server);
    let one = instance().await;
    let registered = register(&consul, ServiceName::Payment, one);
    let client = common::client::http_client(reqwest::ClientBuilder::no_proxy).unwrap();
    let entry = async || {
        let answer = client.get(format!("{}/v1/health/service/payment-service", server.url())).send().await.unwrap();
        answer.json::<Value>().await.unwrap().get(0).cloned()
    };
    let found = eventually("the entry", DEADLINE, || async { entry().await }).await;
    let service = &found["Service"];
    assert!(service["ID"].as_str().unwrap().starts_with("payment-service-"), "{found}");
    assert_eq!((&service["Address"], &service["Port"]), (&json!("127.0.0.1"), &json!(one.port())));
    assert_eq!((&service["Tags"], &service["Meta"]), (&json!(["api", "payments"]), &json!({"version": "1.2.3"})));
    let check = &found["Checks"].as_array().unwrap().iter().find(|check| check["ServiceID"] == service["ID"]).unwrap();
    assert_eq!((&check["Interval"], &check["Timeout"]), (&json!("10s"), &json!("3s")));
    assert_eq!(check["Type"], "http");
    registered.leave().await;
    assert_eq!(entry().await, None);
}

/// Whatever is under way when it ends does not bring the entry back.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_leaves_as_soon_as_it_came_stays_away() {
    let Some(server) = servers::Consul::start().await else { return };
    let consul = consul(&server);
    let address = instance().await;
    let leaving: Vec<_> =
        (0..20).map(|_| register(&consul, ServiceName::User, address).leave()).map(tokio::spawn).collect();
    for one in leaving {
        one.await.unwrap();
    }
    let services = text(&format!("{}/v1/agent/services", server.url())).await;
    assert_eq!(services, "{}");
}

async fn text(url: &str) -> String {
    let client = common::client::http_client(reqwest::ClientBuilder::no_proxy).unwrap();
    client.get(url).send().await.unwrap().text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_is_tried_again_and_the_last_one_is_never_left_out() {
    let Some(server) = servers::Consul::start().await else { return };
    let consul = consul(&server);
    let discovery = discovery(&consul);
    let (one, other) = (instance().await, instance().await);
    let _both = (register(&consul, ServiceName::Order, one), register(&consul, ServiceName::Order, other));
    until_found(&discovery, "both are found", &[one.port(), other.port()]).await;
    for _ in 0..2 {
        discovery.resolve(ServiceName::Order).await.unwrap().failed();
    }
    assert!(!found(&discovery).await.is_empty(), "somebody is asked all the same");
    until_found(&discovery, "both are tried again", &[one.port(), other.port()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_busier_of_two_is_spared() {
    let Some(server) = servers::Consul::start().await else { return };
    let consul = consul(&server);
    let discovery = discovery(&consul);
    let (one, other) = (instance().await, instance().await);
    let _both = (register(&consul, ServiceName::Order, one), register(&consul, ServiceName::Order, other));
    until_found(&discovery, "both are found", &[one.port(), other.port()]).await;
    let mut calls = Vec::new();
    for _ in 0..40 {
        calls.push(discovery.resolve(ServiceName::Order).await.unwrap());
    }
    let of_one = calls.iter().filter(|found| found.url.port() == Some(one.port())).count();
    assert!((15..=25).contains(&of_one), "{of_one} of 40 calls under way are at one of two");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_list_stands_while_consul_is_away_and_after_it_forgot() {
    let Some(server) = servers::Consul::start().await else { return };
    let consul = consul(&server);
    let discovery = discovery(&consul);
    let (one, other) = (instance().await, instance().await);
    let _both = (register(&consul, ServiceName::Order, one), register(&consul, ServiceName::Order, other));
    until_found(&discovery, "both are found", &[one.port(), other.port()]).await;
    server.process.kill();
    assert!(discovery.ping().await.is_err());
    assert_eq!(found(&discovery).await.len(), 2, "the last list stands");
    let late = instance().await;
    let _late = register(&consul, ServiceName::Order, late);
    server.restart().await;
    // It has forgotten everybody: they register again, and the one that came meanwhile for the first time.
    until_found(&discovery, "all three are found", &[one.port(), other.port(), late.port()]).await;
}
