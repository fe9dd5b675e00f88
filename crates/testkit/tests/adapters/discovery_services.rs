//! Services that discover each other by Consul: instances start and stop without failing calls.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use common::client::discovery::{Consul, Discovery, Registration, ServiceName, StaticAddresses};
use common::client::{CallError, ServiceClient};
use common::config::{EnvReader, Environment, PlatformConfig};
use common::http::{OpenApiInfo, with_platform_layers};
use common::runtime::Platform;
use common::runtime::{Service, Shutdown};
use common::telemetry::clock::system;
use common::telemetry::metrics::Metrics;
use serde_json::Value;
use testkit::spawn_service::{RunningService, spawn_service};
use testkit::{eventually, servers};
use tokio::net::TcpListener;
use utoipa_axum::router::OpenApiRouter;

const DEADLINE: Duration = Duration::from_secs(60);

/// Order service that returns its name.
async fn start(directory: &tempfile::TempDir, server: &servers::Consul, name: &'static str) -> RunningService {
    let bus = format!("sqlite://{}", directory.path().join("bus.db").display());
    let consul = server.url();
    let env = Environment::from_pairs([
        ("REDIS_URL", "memory:"),
        ("RABBITMQ_URL", &bus),
        ("CONSUL_URL", &consul),
        ("ADVERTISE_HOST", "127.0.0.1"),
    ]);
    let mut settings = EnvReader::new(&env);
    let config = PlatformConfig::read(&mut settings, "order-service", 0);
    let platform = Platform::start(&settings.finish(config).unwrap(), system()).await.unwrap();
    let info = OpenApiInfo { title: "Test service", description: "Serves tests." };
    let health = platform.health(|| std::future::ready(Ok(())), &[]);
    let routes = Router::new()
        .route("/who", get(async move || name).post(async move || name))
        .route("/unavailable", post(async || StatusCode::SERVICE_UNAVAILABLE));
    let router = with_platform_layers(OpenApiRouter::from(routes), info, &platform.http, health);
    spawn_service(Service { platform, router, workers: Vec::new(), consumers: Vec::new() }).await
}

/// Caller with connections of its own.
fn caller(server: &servers::Consul) -> (ServiceClient, Discovery) {
    let discovery =
        Discovery::by_consul(Consul::new(server.url().parse().unwrap()).unwrap(), StaticAddresses::default());
    (ServiceClient::new("test", discovery.clone(), system(), &Metrics::new()), discovery)
}

async fn who(client: &ServiceClient) -> Result<String, CallError> {
    let response = client.post(ServiceName::Order, "/who").send().await?;
    Ok(String::from_utf8_lossy(response.bytes()).into_owned())
}

/// Waits until exactly these instances respond.
async fn until_answered_by(client: &ServiceClient, names: &[&str]) {
    let expected: BTreeSet<_> = names.iter().map(|name| (*name).to_owned()).collect();
    eventually(&format!("{names:?} response"), DEADLINE, || async {
        let mut answered = BTreeSet::new();
        for _ in 0..20 {
            answered.insert(who(client).await.ok()?);
        }
        (answered == expected).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rolling_replacement_fails_no_call() {
    let Some(server) = servers::available(servers::Consul::start().await) else { return };
    let directory = tempfile::tempdir().unwrap();
    let mut running = vec![start(&directory, &server, "a").await, start(&directory, &server, "b").await];
    let (client, _) = caller(&server);
    until_answered_by(&client, &["a", "b"]).await;

    let (stop, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let callers = (0..4).map(|_| {
        let (client, stop, calls) = (client.clone(), stop.clone(), calls.clone());
        tokio::spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                who(&client).await.unwrap();
                calls.fetch_add(1, Ordering::SeqCst);
            }
        })
    });
    let callers: Vec<_> = callers.collect();
    for name in ["c", "d"] {
        let next = start(&directory, &server, name).await;
        eventually("the next one is asked", DEADLINE, || async { (who(&client).await.unwrap() == name).then_some(()) })
            .await;
        running.push(next);
        running.remove(0).stop().await;
    }
    until_answered_by(&client, &["c", "d"]).await;
    stop.store(true, Ordering::SeqCst);
    for caller in callers {
        caller.await.unwrap();
    }
    assert!(calls.load(Ordering::SeqCst) > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_instance_is_ejected_before_consul_notices() {
    let Some(server) = servers::available(servers::Consul::start().await) else { return };
    let directory = tempfile::tempdir().unwrap();
    let (_one, other) = (start(&directory, &server, "one").await, start(&directory, &server, "other").await);
    until_answered_by(&caller(&server).0, &["one", "other"]).await;
    // It accepts no connections and has not deregistered.
    drop(other);
    // Without an open connection.
    let (client, _) = caller(&server);
    for _ in 0..20 {
        assert_eq!(who(&client).await.unwrap(), "one");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hanging_instance_does_not_open_the_circuit_of_others() {
    let Some(server) = servers::available(servers::Consul::start().await) else { return };
    let directory = tempfile::tempdir().unwrap();
    let _well = start(&directory, &server, "well").await;
    let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let consul = Consul::new(server.url().parse().unwrap()).unwrap();
    let registration = Registration::new(consul, "order-service", "127.0.0.1".to_owned(), "1".to_owned());
    let address = hanging.local_addr().unwrap();
    tokio::spawn(registration.run(address, Shutdown::new()));
    let (client, discovery) = caller(&server);
    eventually("both are known", DEADLINE, || async {
        discovery.resolve(ServiceName::Order).await.ok()?.has_alternatives().then_some(())
    })
    .await;
    // The healthy instance is so busy that calls go to the hanging one, more than open the circuit of a service.
    let mut busy = Vec::new();
    for _ in 0..40 {
        busy.push(discovery.resolve(ServiceName::Order).await.unwrap());
    }
    busy.retain(|found| found.url.port() != Some(address.port()));
    let calls: Vec<_> = (0..8)
        .map(|_| tokio::spawn(client.get(ServiceName::Order, "/who").timeout(Duration::from_secs(2)).send()))
        .collect();
    let mut late = 0;
    for call in calls {
        match call.await.unwrap() {
            Ok(_) => {}
            Err(CallError::Timeout { .. }) => late += 1,
            Err(error) => panic!("{}", common::error_chain(&error)),
        }
    }
    assert!(late >= 5, "{late}");
    match who(&client).await {
        Ok(name) => assert_eq!(name, "well"),
        Err(error) => assert!(matches!(error, CallError::Timeout { .. }), "{}", common::error_chain(&error)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unavailable_instance_is_ejected() {
    let Some(server) = servers::available(servers::Consul::start().await) else { return };
    let directory = tempfile::tempdir().unwrap();
    let _both = (start(&directory, &server, "one").await, start(&directory, &server, "other").await);
    let (client, discovery) = caller(&server);
    until_answered_by(&client, &["one", "other"]).await;
    eventually("one is left out", DEADLINE, || async {
        client.post(ServiceName::Order, "/unavailable").send().await.unwrap_err();
        let found = discovery.resolve(ServiceName::Order).await.unwrap();
        (found.has_alternatives() && !found.has_healthy_alternatives()).then_some(())
    })
    .await;
    until_answered_by(&client, &["one", "other"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn service_starts_without_consul_and_registers_later() {
    let Some(server) = servers::available(servers::Consul::start().await) else { return };
    let directory = tempfile::tempdir().unwrap();
    server.process.kill().unwrap();
    let service = start(&directory, &server, "early").await;
    let readiness = async || {
        let response = service.client.get(format!("{}/health/ready", service.url)).send().await.unwrap();
        assert!(response.status().is_success(), "it is ready with or without Consul");
        let state: Value = response.json().await.unwrap();
        let found = state["dependencies"].as_array().unwrap().iter().find(|one| one["name"] == "discovery").cloned();
        (state["status"].clone(), found.unwrap()["status"].clone())
    };
    let (all, discovery) = readiness().await;
    assert_ne!(discovery, "up", "{all}");
    let (client, _) = caller(&server);
    assert!(who(&client).await.is_err(), "its address is unknown");
    server.restart().await.unwrap();
    until_answered_by(&client, &["early"]).await;
    eventually("Consul is there", DEADLINE, || async { (readiness().await.1 == "up").then_some(()) }).await;
    service.stop().await;
}
