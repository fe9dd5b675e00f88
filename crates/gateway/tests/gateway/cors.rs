use reqwest::Response;

use crate::harness::{Running, header, start_fleet, within};

async fn send(gateway: &Running, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = gateway.request(method, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    within(request.send()).await.unwrap()
}

#[tokio::test]
async fn gateway_responds_to_a_preflight() {
    let gateway = start_fleet(true).await;
    let preflight = [
        ("origin", "http://localhost:3000"),
        ("access-control-request-method", "PATCH"),
        ("access-control-request-headers", "authorization, idempotency-key"),
    ];
    // More requests than any limit: a preflight is not counted.
    for _ in 0..40 {
        let response = send(&gateway, "OPTIONS", "/api/payments", &preflight).await;
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "access-control-allow-origin"), Some("http://localhost:3000"));
        assert_eq!(header(&response, "access-control-allow-credentials"), Some("true"));
        assert_eq!(header(&response, "access-control-allow-methods"), Some("GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS"));
        assert_eq!(
            header(&response, "access-control-allow-headers"),
            Some("Accept,Authorization,Content-Type,Idempotency-Key,If-None-Match,X-Request-ID,traceparent,tracestate")
        );
        assert_eq!(header(&response, "access-control-max-age"), Some("3600"));
        assert_eq!(header(&response, "vary"), Some("Origin"));
        assert_eq!(header(&response, "ratelimit-remaining"), None);
        assert_eq!(response.text().await.unwrap(), "");
    }
}

#[tokio::test]
async fn preflight_of_an_unlisted_origin_is_not_allowed() {
    let gateway = start_fleet(true).await;
    let preflight = [("origin", "http://evil.example"), ("access-control-request-method", "GET")];
    let response = send(&gateway, "OPTIONS", "/api/products", &preflight).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "access-control-allow-origin"), None);
}

#[tokio::test]
async fn response_names_a_listed_origin() {
    let gateway = start_fleet(true).await;
    let response = send(&gateway, "GET", "/api/products", &[("origin", "http://localhost:5173")]).await;
    assert_eq!(header(&response, "access-control-allow-origin"), Some("http://localhost:5173"));
    assert_eq!(header(&response, "access-control-allow-credentials"), Some("true"));
    assert_eq!(header(&response, "vary"), Some("Origin"));
    let exposed = header(&response, "access-control-expose-headers").unwrap();
    for name in ["X-Request-ID", "ETag", "Location", "Retry-After", "RateLimit-Remaining"] {
        assert!(exposed.split(',').any(|exposed| exposed == name), "{exposed}");
    }
    let response = send(&gateway, "GET", "/api/products", &[("origin", "http://evil.example")]).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "access-control-allow-origin"), None);
    assert_eq!(header(&response, "vary"), Some("Origin"));
}

#[tokio::test]
async fn error_of_the_gateway_is_readable_by_a_browser() {
    let gateway = start_fleet(true).await;
    let origin = [("origin", "http://localhost:3000")];
    let missing = send(&gateway, "GET", "/nowhere", &origin).await;
    assert_eq!(missing.status(), 404);
    assert_eq!(header(&missing, "access-control-allow-origin"), Some("http://localhost:3000"));
    let preflight = [origin[0], ("access-control-request-method", "GET")];
    assert_eq!(send(&gateway, "OPTIONS", "/nowhere", &preflight).await.status(), 404);
}

#[tokio::test]
async fn options_without_preflight_headers_is_forwarded() {
    let gateway = start_fleet(true).await;
    let response = send(&gateway, "OPTIONS", "/api/products", &[("origin", "http://localhost:3000")]).await;
    assert_eq!(header(&response, "via"), Some("1.1 shopfleet-gateway"));
}
