//! Discovery by Consul: instances register, deregister, fail, and are forgotten.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use common::client::discovery::{Consul, Discovery, Registration, ServiceName, StaticAddresses};
use common::runtime::Shutdown;
use serde_json::{Value, json};
use testkit::{eventually, servers};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const DEADLINE: Duration = Duration::from_secs(60);

/// Healthy server at a free port.
async fn instance() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().route("/health/ready", get(async || "ready"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

struct Registered {
    shutdown: Shutdown,
    task: JoinHandle<()>,
}

fn register(consul: &Consul, name: ServiceName, address: SocketAddr) -> Registered {
    let registration = Registration::new(consul.clone(), name.as_str(), "127.0.0.1".to_owned(), "1.2.3".to_owned());
    let shutdown = Shutdown::new();
    let task = tokio::spawn(registration.run(address, shutdown.clone()));
    Registered { shutdown, task }
}

impl Registered {
    async fn leave(self) {
        self.shutdown.trigger();
        self.task.await.unwrap();
    }
}

fn consul(server: &servers::Consul) -> Consul {
    Consul::new(server.url().parse().unwrap()).unwrap()
}

fn discovery(consul: &Consul) -> Discovery {
    Discovery::by_consul(consul.clone(), StaticAddresses::default())
}

/// Returns the ports resolved in many attempts.
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

/// Registers two instances of the order service and waits until both are found.
async fn register_two(consul: &Consul, discovery: &Discovery) -> [(SocketAddr, Registered); 2] {
    let addresses = [instance().await, instance().await];
    let registered = addresses.map(|address| (address, register(consul, ServiceName::Order, address)));
    until_found(discovery, "both are found", &addresses.map(|address| address.port())).await;
    registered
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_are_found_until_they_deregister() {
    let Some(server) = servers::available(servers::Consul::start().await) else { return };
    let consul = consul(&server);
    let discovery = discovery(&consul);
    assert!(discovery.resolve(ServiceName::Order).await.is_err(), "no instance is registered yet");
    discovery.ping().await.unwrap();
    let [(_, first), (other, _second)] = register_two(&consul, &discovery).await;
    first.leave().await;
    until_found(&discovery, "the one that stayed is found alone", &[other.port()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fixed_addresses_override_consul() {
    let Some(server) = servers::available(servers::Consul::start().await) else { return };
    let fixed: StaticAddresses = [(ServiceName::Order, "http://127.0.0.1:1".parse().unwrap())].into_iter().collect();
    let discovery = Discovery::by_consul(consul(&server), fixed.clone());
    assert_eq!(discovery.resolve(ServiceName::Order).await.unwrap().url.port(), Some(1));
    testkit::discovery::suite(&discovery, &fixed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn consul_passes_the_conformance_suite() {
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
async fn registration_has_version_and_health_check() {
    let Some(server) = servers::available(servers::Consul::start().await) else { return };
    let consul = consul(&server);
    let one = instance().await;
    let registered = register(&consul, ServiceName::Payment, one);
    let client = common::client::http_client(reqwest::ClientBuilder::no_proxy).unwrap();
    let entry = async || {
        let response = client.get(format!("{}/v1/health/service/payment-service", server.url())).send().await.unwrap();
        response.json::<Value>().await.unwrap().get(0).cloned()
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

/// A registration in progress at shutdown does not restore the entry.
#[tokio::test(flavor = "multi_thread")]
async fn immediate_deregistration_is_final() {
    let Some(server) = servers::available(servers::Consul::start().await) else { return };
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
async fn failing_instance_is_retried_and_the_last_one_never_ejected() {
    let Some(server) = servers::available(servers::Consul::start().await) else { return };
    let consul = consul(&server);
    let discovery = discovery(&consul);
    let [(one, _first), (other, _second)] = register_two(&consul, &discovery).await;
    for _ in 0..2 {
        discovery.resolve(ServiceName::Order).await.unwrap().failed();
    }
    assert!(!found(&discovery).await.is_empty(), "an instance is resolved nevertheless");
    until_found(&discovery, "both are tried again", &[one.port(), other.port()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn less_busy_instance_is_preferred() {
    let Some(server) = servers::available(servers::Consul::start().await) else { return };
    let consul = consul(&server);
    let discovery = discovery(&consul);
    let [(one, _first), _second] = register_two(&consul, &discovery).await;
    let mut calls = Vec::new();
    for _ in 0..40 {
        calls.push(discovery.resolve(ServiceName::Order).await.unwrap());
    }
    let of_one = calls.iter().filter(|found| found.url.port() == Some(one.port())).count();
    assert!((15..=25).contains(&of_one), "{of_one} of 40 calls under way are at one of two");
}

#[tokio::test(flavor = "multi_thread")]
async fn last_list_is_used_while_consul_is_unavailable_or_empty() {
    let Some(server) = servers::available(servers::Consul::start().await) else { return };
    let consul = consul(&server);
    let discovery = discovery(&consul);
    let [(one, _first), (other, _second)] = register_two(&consul, &discovery).await;
    server.process.kill().unwrap();
    assert!(discovery.ping().await.is_err());
    assert_eq!(found(&discovery).await.len(), 2, "the last list stands");
    let late = instance().await;
    let _late = register(&consul, ServiceName::Order, late);
    server.restart().await.unwrap();
    // Consul has lost all registrations: the instances register again, and the new one for the first time.
    until_found(&discovery, "all three are found", &[one.port(), other.port(), late.port()]).await;
}
