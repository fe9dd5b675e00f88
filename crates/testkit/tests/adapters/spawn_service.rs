//! Services spawned by the test kit.

use common::config::{EnvReader, Environment, PlatformConfig};
use common::http::{Health, OpenApiInfo, with_platform_layers};
use common::runtime::Platform;
use common::runtime::Service;
use common::telemetry::clock::system;
use testkit::spawn_service::spawn_service;
use testkit::tokens::TestKeys;
use utoipa_axum::router::OpenApiRouter;

async fn service(directory: &tempfile::TempDir) -> Service {
    let bus = format!("sqlite://{}", directory.path().join("bus.db").display());
    let env = Environment::from_pairs([("REDIS_URL", "memory:"), ("RABBITMQ_URL", &bus)]);
    let mut settings = EnvReader::new(&env);
    let config = PlatformConfig::read(&mut settings, "test-service", 0);
    let platform = Platform::start(&settings.finish(config).unwrap(), system()).await.unwrap();
    let info = OpenApiInfo { title: "Test service", description: "Serves tests." };
    let router = with_platform_layers(OpenApiRouter::new(), info, &platform.http, Health::new());
    Service { platform, router, workers: Vec::new(), consumers: Vec::new() }
}

#[tokio::test]
async fn spawned_service_responds_until_it_is_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let running = spawn_service(service(&directory).await).await;
    let health = format!("{}/health", running.url);
    let client = running.client.clone();
    let body: serde_json::Value = client.get(&health).send().await.unwrap().json().await.unwrap();
    assert_eq!(body["service"], "test-service");
    running.stop().await;
    assert!(client.get(&health).send().await.unwrap_err().is_connect());
}

/// Independent of the part that observes the shutdown first.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn spawned_service_stops_cleanly_at_any_time() {
    let directory = tempfile::tempdir().unwrap();
    for _ in 0..100 {
        spawn_service(service(&directory).await).await.stop().await;
    }
}

#[tokio::test]
async fn test_key_is_published_like_the_user_services() {
    let keys = TestKeys::new();
    let url = keys.jwks_server().await;
    let client = common::client::http_client(|builder| builder.no_proxy()).unwrap();
    let published: serde_json::Value = client.get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(published, serde_json::json!(keys.jwks()));
    assert_eq!(keys.service_token().split('.').count(), 3);
}
