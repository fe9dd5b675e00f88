use serde_json::json;

use crate::harness::{header, json_of, start_fleet, within};

#[tokio::test]
async fn an_id_is_made_passed_on_and_echoed() {
    let gateway = start_fleet(true).await;
    let response = gateway.get("/api/users").await;
    let id = header(&response, "x-request-id").unwrap().to_owned();
    assert_eq!(id.len(), 36);
    assert_eq!(json_of(response).await["headers"]["x-request-id"], json!([id]));
    let other = gateway.get("/api/users").await;
    assert_ne!(header(&other, "x-request-id"), Some(id.as_str()));
}

#[tokio::test]
async fn the_clients_own_is_taken_over() {
    let gateway = start_fleet(true).await;
    let request = gateway.request("GET", "/api/users").header("x-request-id", "my-id.1");
    let response = within(request.send()).await.unwrap();
    assert_eq!(header(&response, "x-request-id"), Some("my-id.1"));
    assert_eq!(json_of(response).await["headers"]["x-request-id"], json!(["my-id.1"]));
}

#[tokio::test]
async fn one_that_is_none_is_replaced() {
    let gateway = start_fleet(true).await;
    for bad in ["x".repeat(129), "a b".to_owned()] {
        let request = gateway.request("GET", "/api/users").header("x-request-id", &bad);
        let response = within(request.send()).await.unwrap();
        let id = header(&response, "x-request-id").unwrap().to_owned();
        assert_eq!(id.len(), 36);
        assert_eq!(json_of(response).await["headers"]["x-request-id"], json!([id]));
    }
}

#[tokio::test]
async fn answers_of_the_gateway_carry_none() {
    let gateway = start_fleet(true).await;
    for (path, length) in [("/nowhere", 0), ("/api/users", 256 * 1024 + 1)] {
        let request = gateway.request("POST", path).header("x-request-id", "mine").body(vec![b'x'; length]);
        let response = within(request.send()).await.unwrap();
        assert!(response.status().is_client_error());
        assert_eq!(header(&response, "x-request-id"), None, "{path}");
    }
}
