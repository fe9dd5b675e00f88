//! What is too much is refused, and nothing but that.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use common::http::HttpSettings;
use tokio::sync::Notify;

use crate::support::{app, get as ask, settings};

#[tokio::test]
async fn a_request_too_many_is_refused_at_once_and_health_is_not() {
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (started, wait) = (begun.clone(), go.clone());
    let slow = move || async move {
        started.notify_one();
        wait.notified().await;
        "done"
    };
    let settings = HttpSettings { most_requests: 1, ..settings() };
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
