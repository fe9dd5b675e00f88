//! What is too much is refused, and nothing but that.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use common::http::{HttpSettings, Json};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::support::{app, get as ask, serve, settings, until};

#[tokio::test]
async fn excess_request_is_rejected_at_once_and_health_is_not() {
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (started, wait) = (begun.clone(), go.clone());
    let slow = move || async move {
        started.notify_one();
        wait.notified().await;
        "done"
    };
    let settings = HttpSettings { max_concurrent_requests: 1, ..settings() };
    let app = app(Router::new().route("/slow", get(slow)).route("/quick", get(|| async { "quick" })), &settings);

    let held = app.clone();
    let first = tokio::spawn(async move { ask(&held, "/slow").await });
    begun.notified().await;
    let refused = ask(&app, "/quick").await;
    refused.refused(503, "SERVICE_UNAVAILABLE");
    assert_eq!(refused.header("retry-after"), "1");
    for path in ["/health/live", "/health/ready", "/metrics"] {
        assert_eq!(ask(&app, path).await.status, 200, "{path}");
    }
    let metrics = ask(&app, "/metrics").await.text();
    assert!(metrics.contains("http_server_requests_shed_total{reason=\"requests\"} 1"), "{metrics}");

    go.notify_one();
    assert_eq!(first.await.unwrap().text(), "done");
    assert_eq!(ask(&app, "/quick").await.text(), "quick");
}

/// More than a service handles at once.
const HALF_SENT: usize = 260;

#[tokio::test]
async fn half_sent_bodies_take_no_capacity_from_others() {
    let settings = settings();
    let router = Router::new()
        .route("/hook", post(|_: Json<Value>| async { "received" }))
        .route("/quick", get(|| async { "quick" }));
    let url = serve(app(router, &settings)).await;
    let address = url.trim_start_matches("http://");
    let head = format!(
        "POST /hook HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{{"
    );
    let mut half_sent = Vec::new();
    for _ in 0..HALF_SENT {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        half_sent.push(stream);
    }
    let active = format!("http_server_active_requests {HALF_SENT}");
    until("all of them have begun", || async { settings.metrics.render().contains(&active).then_some(()) }).await;
    let client = common::client::http_client(|builder| builder.no_proxy()).unwrap();
    assert_eq!(client.get(format!("{url}/quick")).send().await.unwrap().text().await.unwrap(), "quick");
    let sent = client.post(format!("{url}/hook")).header("content-type", "application/json").body("{}");
    assert_eq!(sent.send().await.unwrap().text().await.unwrap(), "received");
    drop(half_sent);
}
