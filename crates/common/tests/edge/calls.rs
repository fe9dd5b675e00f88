//! Calls to other services.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use common::auth::Bearer;
use common::client::{CallError, ServiceClient};
use common::config::ServiceName;
use common::http::{ApiError, Json};
use common::telemetry::clock::{Clock, ManualClock, SystemClock, system};
use common::telemetry::metrics::Metrics;
use contracts::ErrorCode;
use http::{HeaderMap, StatusCode, Uri};
use serde_json::{Value, json};

use crate::support::{app, client, discovery, get_with, nowhere, serve, settings};

async fn echo(uri: Uri, headers: HeaderMap, body: String) -> Json<Value> {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    Json(json!({
        "uri": uri.to_string(),
        "authorization": header("authorization"),
        "content-type": header("content-type"),
        "request_id": header("x-request-id"),
        "timeout": header("x-request-timeout-ms").and_then(|text| text.parse::<u64>().ok()),
        "if-none-match": header("if-none-match"),
        "body": body,
    }))
}

async fn peer() -> String {
    let refusal = || async { ApiError::new(ErrorCode::SkuExists, "The sku belongs to a product already") };
    let routes = Router::new()
        .route("/echo", get(echo).post(echo).put(echo).patch(echo).delete(echo))
        .route("/refuses", get(refusal))
        .route("/away", get(|| async { StatusCode::SERVICE_UNAVAILABLE }))
        .route("/fails", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
        .route("/hangs", get(std::future::pending::<()>))
        .route("/moved", get(|| async { (StatusCode::FOUND, [("location", "/echo")]) }))
        .route("/text", get(|| async { "no JSON" }));
    serve(routes).await
}

#[tokio::test]
async fn request_carries_its_query_headers_and_body() {
    let client = client(&peer().await, system());
    let call = client.post(ServiceName::User, "/echo?a=1").query(&[("b", "x y")]).query(&json!({}));
    let call = call.json(&json!({"id": 7})).bearer(&Bearer::new("token".to_owned().into()));
    let answer = call.header("if-none-match", "\"tag\"").send().await.unwrap();
    let seen: Value = answer.json().unwrap();
    assert!(answer.is_success() && answer.problem().is_none());
    assert_eq!(seen["uri"], "/echo?a=1&b=x+y");
    assert_eq!(seen["authorization"], "Bearer token");
    assert_eq!(seen["content-type"], "application/json");
    assert_eq!(seen["body"], "{\"id\":7}");
    assert_eq!(seen["if-none-match"], "\"tag\"");
    for call in [client.put(ServiceName::User, "/echo"), client.patch(ServiceName::User, "/echo")] {
        assert_eq!(call.send().await.unwrap().status(), 200);
    }
    assert_eq!(client.delete(ServiceName::User, "/echo").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn request_propagates_request_id_and_remaining_time() {
    let client = client(&peer().await, system());
    let forward = move || async move {
        let answer = client.get(ServiceName::User, "/echo").timeout(Duration::from_secs(20)).send().await.unwrap();
        Json(answer.json::<Value>().unwrap())
    };
    let app = app(Router::new().route("/forward", get(forward)), &settings());
    let headers = [("x-request-id", "hop-1"), ("x-request-timeout-ms", "15000")];
    let seen = get_with(&app, "/forward", &headers).await.json();
    assert_eq!(seen["request_id"], "hop-1");
    assert!((1..=15_000).contains(&seen["timeout"].as_u64().unwrap()), "{seen}");
    let seen = get_with(&app, "/forward", &[]).await.json();
    assert!((15_001..=20_000).contains(&seen["timeout"].as_u64().unwrap()), "its own time is shorter here: {seen}");
}

#[tokio::test]
async fn client_error_is_a_response() {
    let client = client(&peer().await, system());
    let answer = client.get(ServiceName::User, "/refuses").send().await.unwrap();
    assert_eq!(answer.status(), 409);
    assert_eq!(answer.problem().unwrap().code, "SKU_EXISTS");
    assert!(!answer.is_success());
    let answer = client.get(ServiceName::User, "/fails").send().await.unwrap();
    assert_eq!((answer.status(), answer.problem()), (500, None));
    assert_eq!(client.get(ServiceName::User, "/moved").send().await.unwrap().status(), 302, "nobody is followed");
}

#[tokio::test]
async fn unavailable_slow_and_invalid_services_are_distinct_errors() {
    let url = peer().await;
    let client = client(&url, system());
    let away = client.get(ServiceName::User, "/away").send().await.unwrap_err();
    assert!(matches!(away, CallError::Unavailable { to: ServiceName::User, .. }), "{away:?}");
    assert_eq!(common::error_chain(&away), "the user-service is unavailable: status 503");
    let late = client.get(ServiceName::User, "/hangs").timeout(Duration::from_millis(20)).send().await.unwrap_err();
    assert!(matches!(late, CallError::Timeout { .. }), "{late:?}");
    let odd = client.get(ServiceName::User, "/text").send().await.unwrap().json::<Value>().unwrap_err();
    assert!(matches!(odd, CallError::InvalidResponse { .. }), "{odd:?}");
    let unknown = client.get(ServiceName::Order, "/echo").send().await.unwrap_err();
    assert!(matches!(unknown, CallError::Unavailable { to: ServiceName::Order, .. }), "{unknown:?}");
    let gone = self::client(&nowhere().await, system());
    let gone = gone.get(ServiceName::User, "/echo").send().await.unwrap_err();
    assert!(matches!(gone, CallError::Unavailable { .. }), "{gone:?}");
    for error in [away, late, odd, unknown, gone] {
        assert_eq!(ApiError::from(error).code(), ErrorCode::ServiceUnavailable);
    }
}

#[tokio::test]
async fn call_beyond_the_deadline_is_deadline_exceeded() {
    let client = client(&peer().await, system());
    let forward = move || async move {
        client
            .get(ServiceName::User, "/hangs")
            .send()
            .await
            .map(|answer| answer.status().to_string())
            .map_err(ApiError::from)
    };
    let app = app(Router::new().route("/forward", post(forward.clone()).get(forward)), &settings());
    get_with(&app, "/forward", &[("x-request-timeout-ms", "30")]).await.refused(504, "DEADLINE_EXCEEDED");
}

#[tokio::test]
async fn only_retryable_calls_are_retried() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = asked.clone();
    let wakes = move || {
        let asked = count.fetch_add(1, Ordering::SeqCst);
        std::future::ready(if asked < 2 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK })
    };
    let client = client(&serve(Router::new().route("/wakes", get(wakes))).await, system());
    assert!(client.get(ServiceName::User, "/wakes").send().await.is_err());
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    asked.store(0, Ordering::SeqCst);
    assert_eq!(client.get(ServiceName::User, "/wakes").retries(2).send().await.unwrap().status(), 200);
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    asked.store(0, Ordering::SeqCst);
    assert!(client.get(ServiceName::User, "/wakes").retries(1).send().await.is_err());
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn calls_are_measured_by_service_method_and_status() {
    let (url, metrics) = (peer().await, Metrics::new());
    let client = ServiceClient::new("test-service", discovery(&url), system(), &metrics);
    client.get(ServiceName::User, "/echo").send().await.unwrap();
    client.get(ServiceName::User, "/away").send().await.unwrap_err();
    client.get(ServiceName::User, "/hangs").timeout(Duration::from_millis(20)).send().await.unwrap_err();
    let text = metrics.render();
    for status in ["200", "503", "timeout"] {
        let line = format!(
            r#"http_client_request_duration_seconds_count{{http_request_method="GET",http_response_status_code="{status}",server_address="user-service"}} 1"#
        );
        assert!(text.contains(&line), "{line} is not in {text}");
    }
}

#[tokio::test]
async fn hanging_service_opens_the_circuit() {
    let clock = ManualClock::at(SystemClock.now());
    let client = client(&peer().await, clock.shared());
    let hang = |timeout| client.get(ServiceName::User, "/hangs").timeout(timeout).send();
    for short in [5, 999] {
        let late = futures::future::join_all((0..5).map(|_| hang(Duration::from_millis(short)))).await;
        assert!(late.iter().all(|late| matches!(late, Err(CallError::Timeout { .. }))), "{late:?}");
    }
    let late = futures::future::join_all((0..5).map(|_| hang(Duration::from_secs(1)))).await;
    assert!(late.iter().all(|late| matches!(late, Err(CallError::Timeout { .. }))), "not yet open: {late:?}");
    let refused = hang(Duration::from_secs(600)).await;
    assert!(matches!(refused, Err(CallError::Unavailable { .. })), "it is not even asked");
}

/// Serves `GET /forward`, which asks the user service for `path`, over a connection as in production.
async fn forwarding(url: &str, path: &'static str, metrics: &Metrics) -> String {
    let client = ServiceClient::new("test-service", discovery(url), system(), metrics);
    let forward = move || async move {
        let answer = client.get(ServiceName::User, path).retries(2).send().await.map_err(ApiError::from)?;
        Ok::<_, ApiError>(answer.status().to_string())
    };
    serve(app(Router::new().route("/forward", get(forward)), &settings())).await
}

#[tokio::test]
async fn deadline_or_cancellation_of_a_caller_is_inconclusive() {
    let (metrics, open) = (Metrics::new(), Arc::new(tokio::sync::watch::Sender::new(false)));
    let held = open.clone();
    let answer = move || {
        let mut open = held.subscribe();
        async move { open.wait_for(|open| *open).await.map(drop).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR) }
    };
    let callee = serve(Router::new().route("/held", get(answer))).await;
    let url = forwarding(&callee, "/held", &metrics).await + "/forward";
    let http = reqwest::Client::new();
    // Eight connections whose requests have a millisecond, and as many whose clients go away.
    for millis in ["1", "20", "0"] {
        let short = (0..8).map(|_| http.get(&url).header("x-request-timeout-ms", millis).send());
        for answer in futures::future::join_all(short).await {
            assert_eq!(answer.unwrap().status(), 504);
        }
    }
    let gone = (0..8).map(|_| http.get(&url).timeout(Duration::from_millis(50)).send());
    assert!(futures::future::join_all(gone).await.iter().all(Result::is_err));
    open.send_replace(true);
    let others = futures::future::join_all((0..8).map(|_| http.get(&url).send())).await;
    assert!(others.into_iter().all(|answer| answer.unwrap().status() == 200), "the others are served");
    let shown = metrics.render();
    assert!(shown.contains("circuit_breaker_state{server_address=\"user-service\"} 0\n"), "{shown}");
    assert!(!shown.contains("outcome=\"no_budget\",server_address=\"user-service\"} 1"), "{shown}");
    assert!(shown.contains("outcome=\"made\",server_address=\"user-service\"} 0\n"), "nothing was repeated: {shown}");
}
