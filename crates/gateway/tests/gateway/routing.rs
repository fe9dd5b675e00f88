use std::collections::BTreeMap;

use gateway::{ExtraRoute, Options};
use serde_json::json;

use crate::harness::{echo, json_of, serve, start, start_fleet};

#[tokio::test]
async fn each_path_is_routed_to_its_service() {
    let gateway = start_fleet(true).await;
    let routes = [
        ("/api/users", "user-service", "/api/users"),
        ("/api/users/me?x=1&y=a%20b", "user-service", "/api/users/me?x=1&y=a%20b"),
        ("/api/auth/login", "user-service", "/api/auth/login"),
        ("/.well-known/jwks.json", "user-service", "/.well-known/jwks.json"),
        ("/api/products", "product-service", "/api/products"),
        ("/api/products/batch?ids=1,2", "product-service", "/api/products/batch?ids=1,2"),
        ("/api/products/7/images", "product-service", "/api/products/7/images"),
        ("/api/reviews?rating=1", "product-service", "/api/reviews?rating=1"),
        ("/media/0a1b.webp", "product-service", "/media/0a1b.webp"),
        ("/api/carts/1/items/2", "order-service", "/api/carts/1/items/2"),
        ("/api/orders/1/timeline?after=2&wait=8", "order-service", "/api/orders/1/timeline?after=2&wait=8"),
        ("/api/orders/number/A-1", "order-service", "/api/orders/number/A-1"),
        ("/api/payments/order/1", "payment-service", "/api/payments/order/1"),
        ("/api/payments/config", "payment-service", "/api/payments/config"),
        ("/api/refunds?status=failed", "payment-service", "/api/refunds?status=failed"),
        ("/api/webhooks/stripe", "payment-service", "/api/webhooks/stripe"),
        ("/docs/user", "user-service", "/docs"),
        ("/docs/user/", "user-service", "/docs/"),
        ("/docs/user/openapi.json", "user-service", "/docs/openapi.json"),
        ("/docs/product/", "product-service", "/docs/"),
        ("/docs/order/swagger-ui.css", "order-service", "/docs/swagger-ui.css"),
        ("/docs/payment/openapi.json", "payment-service", "/docs/openapi.json"),
    ];
    for (path, service, uri) in routes {
        let response = gateway.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        let echo = json_of(response).await;
        assert_eq!(echo["service"], service, "{path}");
        assert_eq!(echo["uri"], uri, "{path}");
        assert_eq!(echo["method"], "GET");
    }
}

#[tokio::test]
async fn no_other_path_is_reachable() {
    let gateway = start_fleet(true).await;
    let paths = [
        "/",
        "/api",
        "/ops/outbox",
        "/metrics",
        "/health",
        "/health/live",
        "/actuator/health",
        "/docs",
        "/docs/",
        "/sandbox/v1/refunds",
        "/api/users/../../ops/outbox",
        "/api/users/%2e%2e/%2e%2e/metrics",
        "/docs/user/../../health",
        "/media",
        "/mediation/x",
        "/media/../ops/outbox",
        "/media/%2e%2e/metrics",
        "/API/users",
        "*",
    ];
    for path in paths {
        let response = gateway.raw(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await;
        assert!(response.starts_with("HTTP/1.1 404 "), "{path}: {response}");
        assert!(response.ends_with(r#"{"message":"no Route matched with those values"}"#), "{path}: {response}");
        assert!(response.contains("\r\ncontent-type: application/json; charset=utf-8\r\n"), "{path}: {response}");
    }
}

#[tokio::test]
async fn path_reaches_the_service_in_one_spelling() {
    let gateway = start_fleet(true).await;
    let spellings = [
        ("/api//users/./1", "/api/users/1"),
        ("/docs/user/../../api/users/%61%2Fb", "/api/users/a%2Fb"),
        ("/docs/user/..%2f..%2fops", "/docs/..%2F..%2Fops"),
        ("/docs/user../ops", "/docs/ops"),
        ("/docs/user%2e%2e/ops/audit", "/docs/ops/audit"),
        ("/docs/user./..%2e/ops", "/docs/.../ops"),
        ("/docs/user..", "/docs"),
        ("/docs/user../", "/docs/"),
    ];
    for (path, uri) in spellings {
        let response = gateway.raw(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await;
        assert!(response.contains(&format!("\"uri\":\"{uri}\"")), "{path}: {response}");
    }
}

#[tokio::test]
async fn extra_route_strips_its_prefix() {
    let address = serve(echo("sandbox")).await;
    let options = Options {
        extra_routes: vec![ExtraRoute { prefix: "/sandbox".to_owned(), url: format!("http://{address}") }],
        ..Options::default()
    };
    let gateway = start(gateway::KONG_YML, options).await;
    for (path, uri) in [("/sandbox", "/"), ("/sandbox/", "/"), ("/sandbox/v1/refunds?limit=1", "/v1/refunds?limit=1")] {
        let echo = json_of(gateway.get(path).await).await;
        assert_eq!(echo["uri"], uri);
        assert_eq!(echo["headers"]["x-forwarded-prefix"], json!(["/sandbox"]));
    }
    let response = gateway.get("/sandbox/").await;
    assert!(response.headers().contains_key("x-request-id"), "the global plugins apply");
    assert_eq!(gateway.get("/sandboxes").await.status(), 404);
}

#[tokio::test]
async fn invalid_address_is_rejected_at_start() {
    for url in ["127.0.0.1:3001", "https://127.0.0.1:3001", "http://127.0.0.1:3001/api", "http://"] {
        let upstreams = BTreeMap::from([("user-service".to_owned(), url.to_owned())]);
        let gateway = start(gateway::KONG_YML, Options { upstreams, ..Options::default() }).await;
        let error = start_error(gateway).await;
        assert_eq!(error.to_string(), format!("`{url}` is not an address such as http://127.0.0.1:3001"));
    }
    let extra = ExtraRoute { prefix: "sandbox".to_owned(), url: "http://127.0.0.1:1".to_owned() };
    let options = Options { extra_routes: vec![extra], ..Options::default() };
    let error = start_error(start(gateway::KONG_YML, options).await).await;
    assert_eq!(error.to_string(), "`sandbox` is not a prefix such as /sandbox");
}

async fn start_error(mut gateway: crate::harness::Running) -> std::io::Error {
    let ended = crate::harness::within(&mut gateway.task).await;
    ended.unwrap().unwrap_err()
}
