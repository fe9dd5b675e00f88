use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::{get, post};
use common::http::{ClientAddr, Health, HttpSettings};
use common::task::request_context as context;
use utoipa_axum::router::OpenApiRouter;

use crate::support::{app, finished, get as fetch, get_with, send, settings};

fn routes() -> Router {
    Router::new()
        .route("/api/products/{id}", get(|| async { context::request_id().unwrap_or_default() }))
        .route("/api/orders", post(|| async { context::request_id().unwrap_or_default() }))
        .route("/addr", get(|ClientAddr(addr): ClientAddr| async move { addr.to_string() }))
}

#[tokio::test]
async fn request_has_a_new_id_or_the_clients() {
    let app = app(routes(), &settings());
    let answer = fetch(&app, "/api/products/1").await;
    assert_eq!(answer.text(), answer.header("x-request-id"));
    assert_eq!(answer.text().len(), 36);
    let answer = get_with(&app, "/api/products/1", &[("x-request-id", "client-7")]).await;
    assert_eq!((answer.text().as_str(), answer.header("x-request-id")), ("client-7", "client-7"));
    let answer = get_with(&app, "/nothing", &[("x-request-id", "client-8")]).await;
    assert_eq!(answer.refused(404, "NOT_FOUND")["request_id"], "client-8");
    let answer = get_with(&app, "/api/products/1", &[("x-request-id", "not sane")]).await;
    assert_ne!(answer.header("x-request-id"), "not sane");
    let written = Request::post("/api/orders").header("x-request-id", "client-9").body(Body::empty()).unwrap();
    assert_eq!(send(&app, written).await.text(), "client-9", "a handler that writes knows it too");
}

#[tokio::test]
async fn requests_are_counted_by_method_route_and_status() {
    let settings = settings();
    let app = app(routes(), &settings);
    fetch(&app, "/api/products/1").await;
    fetch(&app, "/api/products/2/").await;
    fetch(&app, "/made/up").await;
    send(&app, Request::builder().method("BREW").uri("/made/up").body(Body::empty()).unwrap()).await;
    let answer = fetch(&app, "/metrics").await;
    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"));
    let metrics = answer.text();
    for line in [
        r#"http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="200",http_route="/api/products/{id}"} 2"#,
        r#"http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="404",http_route="unmatched"} 1"#,
        r#"http_server_request_duration_seconds_count{http_request_method="_OTHER",http_response_status_code="404",http_route="unmatched"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    assert!(metrics.contains(r#"le="0.001""#) && metrics.contains(r#"le="10""#));
}

#[tokio::test]
async fn client_address_is_read_from_trusted_proxies_only() {
    let app = app(routes(), &settings());
    let forwarded = [("x-forwarded-for", "1.2.3.4, 198.51.100.7")];
    assert_eq!(get_with(&app, "/addr", &forwarded).await.text(), "198.51.100.7");
    let mut request = Request::get("/addr").header("x-forwarded-for", "198.51.100.7").body(Body::empty()).unwrap();
    let stranger: std::net::SocketAddr = "203.0.113.9:4000".parse().unwrap();
    request.extensions_mut().insert(axum::extract::ConnectInfo(stranger));
    assert_eq!(send(&app, request).await.text(), "203.0.113.9");
}

#[tokio::test]
async fn health_reports_the_service_and_its_dependencies() {
    let health = Health::new()
        .critical("database", || async { Ok(()) })
        .dependency("bus", || async { Err("connection refused".into()) });
    let app = finished(OpenApiRouter::new(), &settings(), health);
    let body = fetch(&app, "/health").await.json();
    assert_eq!(
        (&body["status"], &body["service"], &body["version"]),
        (&"healthy".into(), &"test-service".into(), &"1.2.3".into())
    );
    assert!(body["timestamp"].as_str().unwrap().ends_with('Z'), "{body}");
    assert_eq!(fetch(&app, "/health/live").await.status, 200);
    let ready = fetch(&app, "/health/ready").await;
    assert_eq!(ready.status, 200);
    assert_eq!(
        ready.json(),
        serde_json::json!({"status": "ready", "dependencies": [
            {"name": "database", "status": "up", "critical": true},
            {"name": "bus", "status": "degraded", "critical": false},
        ]})
    );
}

#[tokio::test]
async fn service_without_its_store_is_live_but_not_ready() {
    let health = Health::new().critical("database", || async { Err("disk is gone".into()) });
    let app = finished(OpenApiRouter::new(), &settings(), health);
    let ready = fetch(&app, "/health/ready").await;
    assert_eq!((ready.status.as_u16(), &ready.json()["status"]), (503, &"unready".into()));
    assert!(!ready.text().contains("disk"), "the cause is for the log");
    assert_eq!(fetch(&app, "/health").await.status, 200);
    assert_eq!(fetch(&app, "/health/live").await.status, 200);
}

#[tokio::test]
async fn browsers_may_call_from_allowed_origins() {
    let settings = HttpSettings { allowed_origins: vec!["http://shop.example".to_owned()], ..settings() };
    let app = app(routes(), &settings);
    let preflight = Request::options("/api/products/1")
        .header("origin", "http://shop.example")
        .header("access-control-request-method", "DELETE")
        .header("access-control-request-headers", "authorization, idempotency-key")
        .body(Body::empty())
        .unwrap();
    let answer = send(&app, preflight).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), "http://shop.example");
    assert!(answer.header("access-control-allow-methods").contains("DELETE"));
    assert!(answer.header("access-control-allow-headers").contains("idempotency-key"));
    let refused = get_with(&app, "/nothing", &[("origin", "http://shop.example")]).await;
    refused.refused(404, "NOT_FOUND");
    assert_eq!(refused.header("access-control-allow-origin"), "http://shop.example");
    let stranger = get_with(&app, "/api/products/1", &[("origin", "http://evil.example")]).await;
    assert_eq!(stranger.header("access-control-allow-origin"), "");
}
