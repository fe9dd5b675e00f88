use serde_json::json;

use crate::harness::{header, json_of, start_fleet, within};

#[tokio::test]
async fn id_is_generated_forwarded_and_echoed() {
    let gateway = start_fleet(true).await;
    let response = gateway.get("/api/users").await;
    let id = header(&response, "x-request-id").unwrap().to_owned();
    assert_eq!(id.len(), 36);
    assert_eq!(json_of(response).await["headers"]["x-request-id"], json!([id]));
    let other = gateway.get("/api/users").await;
    assert_ne!(header(&other, "x-request-id"), Some(id.as_str()));
}

#[tokio::test]
async fn id_of_the_client_is_kept() {
    let gateway = start_fleet(true).await;
    let request = gateway.request("GET", "/api/users").header("x-request-id", "my-id.1");
    let response = within(request.send()).await.unwrap();
    assert_eq!(header(&response, "x-request-id"), Some("my-id.1"));
    assert_eq!(json_of(response).await["headers"]["x-request-id"], json!(["my-id.1"]));
}

#[tokio::test]
async fn invalid_id_is_replaced() {
    let gateway = start_fleet(true).await;
    for bad in ["x".repeat(129), "a b".to_owned()] {
        let request = gateway.request("GET", "/api/users").header("x-request-id", &bad);
        let response = within(request.send()).await.unwrap();
        let id = header(&response, "x-request-id").unwrap().to_owned();
        assert_eq!(id.len(), 36);
        assert_eq!(json_of(response).await["headers"]["x-request-id"], json!([id]));
    }
}

/// Checks 404, 413, a preflight and 429.
#[tokio::test]
async fn responses_of_the_gateway_have_an_id() {
    let gateway = start_fleet(true).await;
    let own = |method: &str, path: &str, length: usize| {
        gateway.request(method, path).header("x-request-id", "mine").body(vec![b'x'; length])
    };
    let preflight = own("OPTIONS", "/api/users", 0).header("origin", "http://localhost:3000");
    let preflight = preflight.header("access-control-request-method", "PUT");
    let requests =
        [(own("POST", "/nowhere", 0), 404), (own("POST", "/api/users", 256 * 1024 + 1), 413), (preflight, 200)];
    for (request, status) in requests {
        let response = within(request.send()).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(header(&response, "x-request-id"), Some("mine"), "{status}");
    }
    loop {
        let response = gateway.get("/api/payments").await;
        assert_eq!(header(&response, "x-request-id").unwrap().len(), 36);
        if response.status() == 429 {
            break;
        }
    }
}
