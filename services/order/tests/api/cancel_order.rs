//! `POST /api/orders/{id}/cancel`

use reqwest::Method;
use serde_json::{Value, json};
use testkit::ResponseExt as _;

use crate::support::{TestApp, UNKNOWN, path};

#[tokio::test]
async fn customer_cancels_until_fulfilment_begins() {
    let app = TestApp::start().await;
    for status in ["pending", "confirmed"] {
        let (user, order) = app.placed_in(status).await;
        app.advance(1);
        let cancel = format!("{}/cancel", path(&order));
        let cancelled = app.post(&cancel, &app.token(user), json!({"reason": "changed my mind"})).await.json(200);
        assert_eq!(
            (&cancelled["status"], &cancelled["notes"]),
            (&json!("cancelled"), &json!("Cancellation reason: changed my mind"))
        );
        let (kind, data) = app.events(&order).await.pop().unwrap();
        assert_eq!(kind, "order.cancelled");
        let expected = json!({
            "order_id": order["id"], "reason": "changed my mind", "items": [{"product_id": 1, "quantity": 2}],
            "timestamp": cancelled["updated_at"],
        });
        assert_eq!(data, expected);
        let again = app.post(&cancel, &app.token(user), json!({})).await.problem(400, "NOT_CANCELLABLE");
        assert_eq!(again["detail"], "Order cannot be cancelled");
    }
}

#[tokio::test]
async fn reason_is_optional() {
    let app = TestApp::start().await;
    for body in [None, Some(json!({})), Some(json!({"reason": null})), Some(json!({"reason": " "}))] {
        let (user, order) = app.placed().await;
        app.put(&path(&order), &app.token(user), json!({"notes": "ring"})).await.json(200);
        let cancel = format!("{}/cancel", path(&order));
        let cancelled = app.send(Method::POST, &cancel, Some(&app.token(user)), body).await.json(200);
        assert_eq!((&cancelled["status"], &cancelled["notes"]), (&json!("cancelled"), &json!("ring")));
        assert_eq!(app.events(&order).await.pop().unwrap().1["reason"], Value::Null);
    }
    let (user, order) = app.placed().await;
    app.put(&path(&order), &app.token(user), json!({"notes": "ring"})).await.json(200);
    let cancel = format!("{}/cancel", path(&order));
    let cancelled = app.post(&cancel, &app.token(user), json!({"reason": "late"})).await.json(200);
    assert_eq!(cancelled["notes"], "ring\nCancellation reason: late");
}

#[tokio::test]
async fn only_staff_cancel_after_fulfilment_has_begun() {
    let app = TestApp::start().await;
    for token in [app.admin(), app.service()] {
        let (user, order) = app.placed_in("processing").await;
        let cancel = format!("{}/cancel", path(&order));
        app.post(&cancel, &app.token(user), json!({})).await.problem(400, "NOT_CANCELLABLE");
        assert_eq!(app.post(&cancel, &token, json!({})).await.json(200)["status"], "cancelled");
    }
    for status in ["shipped", "delivered", "cancelled"] {
        let (_, order) = app.placed_in(status).await;
        app.post(&format!("{}/cancel", path(&order)), &app.admin(), json!({})).await.problem(400, "NOT_CANCELLABLE");
    }
}

#[tokio::test]
async fn concurrent_cancellations_cancel_once() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    let (token, cancel) = (app.token(user), format!("{}/cancel", path(&order)));
    let (one, other) = tokio::join!(app.post(&cancel, &token, json!({})), app.post(&cancel, &token, json!({})));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
    assert_eq!(app.event_kinds(&order).await, ["order.created", "order.cancelled"]);
}

#[tokio::test]
async fn order_of_another_customer_is_not_found() {
    let app = TestApp::start().await;
    let (_, order) = app.placed().await;
    let stranger = app.token(app.user());
    for path in [path(&order), format!("/api/orders/{UNKNOWN}")] {
        let cancel = format!("{path}/cancel");
        app.post(&cancel, &stranger, json!({})).await.problem(404, "ORDER_NOT_FOUND");
        app.send(Method::POST, &cancel, None, None).await.problem(401, "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn invalid_input_is_rejected() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    let (token, cancel) = (app.token(user), format!("{}/cancel", path(&order)));
    app.post(&cancel, &token, json!({"reason": 5})).await.invalid(422, &["reason"]);
    app.post(&cancel, &token, json!({"reason": "x".repeat(501)})).await.invalid(422, &["reason"]);
    app.raw(Method::POST, &cancel, &token, "application/json", "{").await.problem(400, "MALFORMED_BODY");
    app.raw(Method::POST, &cancel, &token, "text/plain", "no").await.problem(415, "UNSUPPORTED_MEDIA_TYPE");
    app.post("/api/orders/7/cancel", &token, json!({})).await.invalid(400, &["id"]);
    assert_eq!(app.order(order["id"].as_str().unwrap()).await["status"], "pending");
}
