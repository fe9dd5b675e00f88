//! Discovery by a real Consul: instances come, go, fail, and are forgotten.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use common::discovery::{Consul, Discovery, Peers, Registration, ServiceName};
use common::service::Shutdown;
use testkit::eventually;
use testkit::servers;
use tokio::net::TcpListener;

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
    registration: Registration,
    shutdown: Shutdown,
}

fn register(consul: &Consul, address: SocketAddr) -> Registered {
    let name = ServiceName::Order.as_str();
    let registration = Registration::new(consul.clone(), name, "127.0.0.1".to_owned(), "1".to_owned());
    let shutdown = Shutdown::new();
    tokio::spawn(registration.clone().keep(address, shutdown.clone()));
    Registered { registration, shutdown }
}

impl Registered {
    async fn leave(&self) {
        self.shutdown.trigger();
        self.registration.leave().await;
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
    let (first, _second) = (register(&consul, one), register(&consul, other));
    until_found(&discovery, "both are found", &[one.port(), other.port()]).await;
    first.leave().await;
    assert_eq!(found(&discovery).await, BTreeSet::from([other.port()]), "it is found no more once it has left");
}

#[tokio::test(flavor = "multi_thread")]
async fn fixed_addresses_win() {
    let Some(server) = servers::Consul::start().await else { return };
    let fixed: Peers = [(ServiceName::Order, "http://127.0.0.1:1".parse().unwrap())].into_iter().collect();
    let discovery = Discovery::by_consul(consul(&server), fixed.clone());
    assert_eq!(discovery.resolve(ServiceName::Order).await.unwrap().url.port(), Some(1));
    testkit::discovery::suite(&Discovery::fixed(fixed.clone()), &fixed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_is_left_out_and_the_last_one_is_not() {
    let Some(server) = servers::Consul::start().await else { return };
    let consul = consul(&server);
    let discovery = discovery(&consul);
    let (one, other) = (instance().await, instance().await);
    let _both = (register(&consul, one), register(&consul, other));
    until_found(&discovery, "both are found", &[one.port(), other.port()]).await;
    loop {
        let found = discovery.resolve(ServiceName::Order).await.unwrap();
        if found.url.port() == Some(one.port()) {
            assert!(found.failed(), "there may be another");
            break;
        }
    }
    assert_eq!(found(&discovery).await, BTreeSet::from([other.port()]));
    let _ = discovery.resolve(ServiceName::Order).await.unwrap().failed();
    assert!(!found(&discovery).await.is_empty(), "somebody is asked all the same");
    until_found(&discovery, "both are tried again", &[one.port(), other.port()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_busier_of_two_is_spared() {
    let Some(server) = servers::Consul::start().await else { return };
    let consul = consul(&server);
    let discovery = discovery(&consul);
    let (one, other) = (instance().await, instance().await);
    let _both = (register(&consul, one), register(&consul, other));
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
    let _both = (register(&consul, one), register(&consul, other));
    until_found(&discovery, "both are found", &[one.port(), other.port()]).await;
    server.process.kill();
    assert!(discovery.ping().await.is_err());
    assert_eq!(found(&discovery).await.len(), 2, "the last list stands");
    let late = instance().await;
    let _late = register(&consul, late);
    server.restart().await;
    // It has forgotten everybody: they register again, and the one that came meanwhile for the first time.
    until_found(&discovery, "all three are found", &[one.port(), other.port(), late.port()]).await;
}
