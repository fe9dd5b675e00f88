use reqwest::Response;

use crate::harness::{Running, header, start_fleet, within};

async fn ask(gateway: &Running, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = gateway.request(method, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    within(request.send()).await.unwrap()
}

#[tokio::test]
async fn a_preflight_is_answered_by_the_gateway() {
    let gateway = start_fleet(true).await;
    let question = [
        ("origin", "http://localhost:3000"),
        ("access-control-request-method", "PATCH"),
        ("access-control-request-headers", "authorization, idempotency-key"),
    ];
    // More often than any limit allows: a preflight is not counted.
    for _ in 0..40 {
        let response = ask(&gateway, "OPTIONS", "/api/payments", &question).await;
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
async fn a_preflight_of_an_origin_that_is_not_listed_names_none() {
    let gateway = start_fleet(true).await;
    let question = [("origin", "http://evil.example"), ("access-control-request-method", "GET")];
    let response = ask(&gateway, "OPTIONS", "/api/products", &question).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "access-control-allow-origin"), None);
}

#[tokio::test]
async fn an_answer_names_a_listed_origin() {
    let gateway = start_fleet(true).await;
    let response = ask(&gateway, "GET", "/api/products", &[("origin", "http://localhost:5173")]).await;
    assert_eq!(header(&response, "access-control-allow-origin"), Some("http://localhost:5173"));
    assert_eq!(header(&response, "access-control-allow-credentials"), Some("true"));
    assert_eq!(header(&response, "vary"), Some("Origin"));
    let exposed = header(&response, "access-control-expose-headers").unwrap();
    for name in ["X-Request-ID", "ETag", "Location", "Retry-After", "RateLimit-Remaining"] {
        assert!(exposed.split(',').any(|exposed| exposed == name), "{exposed}");
    }
    let response = ask(&gateway, "GET", "/api/products", &[("origin", "http://evil.example")]).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "access-control-allow-origin"), None);
    assert_eq!(header(&response, "vary"), Some("Origin"));
}

#[tokio::test]
async fn a_browser_can_read_the_gateways_own_refusals() {
    let gateway = start_fleet(true).await;
    let origin = [("origin", "http://localhost:3000")];
    let missing = ask(&gateway, "GET", "/nowhere", &origin).await;
    assert_eq!(missing.status(), 404);
    assert_eq!(header(&missing, "access-control-allow-origin"), Some("http://localhost:3000"));
    let question = [origin[0], ("access-control-request-method", "GET")];
    assert_eq!(ask(&gateway, "OPTIONS", "/nowhere", &question).await.status(), 404);
}

#[tokio::test]
async fn options_that_is_no_preflight_passes() {
    let gateway = start_fleet(true).await;
    let response = ask(&gateway, "OPTIONS", "/api/products", &[("origin", "http://localhost:3000")]).await;
    assert_eq!(header(&response, "via"), Some("1.1 shopfleet-gateway"));
}
