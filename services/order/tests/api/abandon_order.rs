//! `POST /ops/orders/{id}/abandon`

use common::telemetry::clock::Clock;
use contracts::OrderId;
use reqwest::Method;
use serde_json::json;
use testkit::ResponseExt as _;

use crate::support::{TestApp, UNKNOWN};

#[tokio::test]
async fn existing_order_is_kept() {
    let app = TestApp::start().await;
    for status in ["pending", "cancelled"] {
        let (_, order) = app.placed_in(status).await;
        let abandon = format!("/ops/orders/{}/abandon", order["id"].as_str().unwrap());
        for _ in 0..2 {
            let response = app.send(Method::POST, &abandon, Some(&app.service()), None).await.json(200);
            assert_eq!(response, json!({"exists": true, "status": status}));
        }
        assert_eq!(app.order(order["id"].as_str().unwrap()).await, order);
    }
}

#[tokio::test]
async fn abandoned_id_never_becomes_an_order() {
    let app = TestApp::start().await;
    let id = OrderId::generate(app.clock.now());
    for _ in 0..2 {
        let response = app.send(Method::POST, &format!("/ops/orders/{id}/abandon"), Some(&app.service()), None).await;
        assert_eq!(response.json(200), json!({"exists": false}));
    }
    app.get(&format!("/api/orders/{id}"), &app.admin()).await.problem(404, "ORDER_NOT_FOUND");
}

#[tokio::test]
async fn only_services_may_abandon() {
    let app = TestApp::start().await;
    let abandon = format!("/ops/orders/{UNKNOWN}/abandon");
    app.send(Method::POST, &abandon, None, None).await.problem(401, "UNAUTHENTICATED");
    for token in [app.token(app.user()), app.admin()] {
        app.send(Method::POST, &abandon, Some(&token), None).await.problem(403, "FORBIDDEN");
    }
    app.send(Method::POST, "/ops/orders/7/abandon", Some(&app.service()), None).await.invalid(400, &["id"]);
}
