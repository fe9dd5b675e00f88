//! `GET /api/orders/{id}` and `GET /api/orders/number/{order_number}`

use contracts::api::{OrderStatus, OrderSummary};
use reqwest::Method;
use serde_json::json;
use testkit::ResponseExt as _;

use crate::support::{TestApp, UNKNOWN, path};

#[tokio::test]
async fn order_is_visible_to_its_customer_and_staff() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    let number = format!("/api/orders/number/{}", order["order_number"].as_str().unwrap());
    let stranger = app.token(app.user());
    for path in [path(&order), number] {
        for token in [app.token(user), app.admin(), app.service()] {
            assert_eq!(app.get(&path, &token).await.json(200), order);
        }
        assert_eq!(app.get(&format!("{path}/"), &app.token(user)).await.json(200), order);
        let error = app.get(&path, &stranger).await.problem(404, "ORDER_NOT_FOUND");
        let missing = app.get(&format!("/api/orders/{UNKNOWN}"), &stranger).await.problem(404, "ORDER_NOT_FOUND");
        assert_eq!((&error["detail"], &error["detail"]), (&json!("Order not found"), &missing["detail"]));
        app.send(Method::GET, &path, None, None).await.problem(401, "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn invalid_id_is_rejected_and_unknown_number_not_found() {
    let app = TestApp::start().await;
    app.get("/api/orders/7", &app.admin()).await.invalid(400, &["id"]);
    app.get(&format!("/api/orders/{UNKNOWN}"), &app.admin()).await.problem(404, "ORDER_NOT_FOUND");
    for number in ["ORD-1", "ORD-1234567890123456789", "a%20b", "%27"] {
        app.get(&format!("/api/orders/number/{number}"), &app.admin()).await.problem(404, "ORDER_NOT_FOUND");
    }
}

#[tokio::test]
async fn change_is_visible_immediately() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    let token = app.token(user);
    app.get(&path(&order), &token).await.json(200);
    let changed = app.put(&path(&order), &token, json!({"notes": "new"})).await.json(200);
    assert_eq!(app.get(&path(&order), &token).await.json(200), changed);
}

#[tokio::test]
async fn response_matches_the_contract_of_other_services() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    let (payment, _) = app.pay(&order).await;
    let summary: OrderSummary = serde_json::from_value(app.get(&path(&order), &app.service()).await.json(200)).unwrap();
    assert_eq!((summary.user_id, summary.status, summary.payments[0].id), (user, OrderStatus::Confirmed, payment));
}
