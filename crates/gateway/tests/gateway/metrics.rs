use serde_json::Value;

use crate::harness::{Running, eventually, start_fleet};

async fn metrics(gateway: &Running) -> String {
    let response = reqwest::get(format!("http://{}/metrics", gateway.status)).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
    response.text().await.unwrap()
}

/// Waits for a line, since a request is measured after its last byte was sent, which the client may receive first.
async fn wait_for(gateway: &Running, line: &str) {
    eventually(async || metrics(gateway).await.lines().any(|found| found == line).then_some(())).await;
}

#[tokio::test]
async fn metrics_have_kongs_names() {
    let gateway = start_fleet(true).await;
    for _ in 0..2 {
        gateway.get("/api/users/secret-id?token=secret").await.bytes().await.unwrap();
    }
    let body = vec![b'x'; 300_000];
    let rejected = gateway.request("POST", "/api/orders").body(body).send().await.unwrap();
    assert_eq!(rejected.status(), 413);
    gateway.get("/nowhere").await;
    let user = r#"route="user-routes",service="user-service""#;
    let requests = format!("kong_http_requests_total{{code=\"200\",consumer=\"\",{user},source=\"service\"}} 2");
    wait_for(&gateway, &requests).await;
    wait_for(
        &gateway,
        r#"kong_http_requests_total{code="413",consumer="",route="order-routes",service="order-service",source="kong"} 1"#,
    )
    .await;
    let text = metrics(&gateway).await;
    for line in [
        format!("kong_kong_latency_ms_count{{{user}}} 2"),
        format!("kong_upstream_latency_ms_count{{{user}}} 2"),
        format!("kong_request_latency_ms_count{{{user}}} 2"),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(text.contains("kong_bandwidth_bytes{consumer=\"\",direction=\"egress\""), "{text}");
    assert!(text.contains("kong_kong_latency_ms_bucket{"), "{text}");
    assert!(!text.contains("secret"), "{text}");
    assert!(!text.contains("nowhere"), "{text}");
}

/// Checks that request lines and headers are counted, as in Kong.
#[tokio::test]
async fn bandwidth_counts_heads() {
    let gateway = start_fleet(true).await;
    let request = "GET /api/orders?a=b HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let response = gateway.raw(request).await;
    let body = vec![b'x'; 300_000];
    let rejected = gateway.request("POST", "/api/payments").body(body).send().await.unwrap();
    assert_eq!(rejected.status(), 413);
    let line = |direction, service, route, bytes: usize| {
        format!(
            "kong_bandwidth_bytes{{consumer=\"\",direction=\"{direction}\",route=\"{route}\",service=\"{service}\"}} {bytes}"
        )
    };
    wait_for(&gateway, &line("ingress", "order-service", "order-routes", request.len())).await;
    // The gateway does not count `connection: close`, which the HTTP library adds.
    let sent = response.len() - "connection: close\r\n".len();
    wait_for(&gateway, &line("egress", "order-service", "order-routes", sent)).await;
    let text = metrics(&gateway).await;
    let rejected = text.lines().filter(|line| line.contains("direction=\"egress\"") && line.contains("payment-routes"));
    let bytes: Vec<u64> = rejected.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect();
    assert!(bytes.len() == 1 && bytes[0] > 150, "{bytes:?}");
}

#[tokio::test]
async fn status_page_returns_counts() {
    let gateway = start_fleet(true).await;
    gateway.get("/api/users").await;
    let response = reqwest::get(format!("http://{}/status", gateway.status)).await.unwrap();
    let status: Value = response.json().await.unwrap();
    assert_eq!(status["database"]["reachable"], true);
    assert_eq!(status["server"]["total_requests"], 1);
    let page = async |method: reqwest::Method, path: &str| {
        let request = reqwest::Client::new().request(method, format!("http://{}{path}", gateway.status));
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.headers()["server"].to_str().unwrap().to_owned())
    };
    let own = |status: u16| (status, "shopfleet-gateway".to_owned());
    assert_eq!(page(reqwest::Method::GET, "/api/users").await, own(404));
    assert_eq!(page(reqwest::Method::HEAD, "/api/users").await, own(404));
    assert_eq!(page(reqwest::Method::HEAD, "/metrics").await, own(200));
    assert_eq!(page(reqwest::Method::POST, "/metrics").await, own(405));
}
