//! `GET /api/payments/{id}` and `GET /api/payments/order/{orderId}`

use reqwest::Method;
use serde_json::json;

use crate::support::Fleet;

const UNKNOWN: &str = "0190163d-8694-739b-aea5-966c26f8ad91";

#[tokio::test]
async fn a_payment_is_its_owners() {
    let fleet = Fleet::start().await;
    let (_, user, opened) = fleet.opened().await;
    let path = format!("/api/payments/{}", opened["payment"]["id"].as_str().unwrap());
    for token in [fleet.token(user), fleet.admin(), fleet.service()] {
        assert_eq!(fleet.get(&path, &token).await.ok(200), opened["payment"]);
    }
    let stranger = fleet.token(fleet.user());
    let refusal = fleet.get(&path, &stranger).await.refused(404, "PAYMENT_NOT_FOUND");
    let missing = fleet.get(&format!("/api/payments/{UNKNOWN}"), &stranger).await.refused(404, "PAYMENT_NOT_FOUND");
    assert_eq!(refusal["detail"], missing["detail"]);
    fleet.send(Method::GET, &path, None, None).await.refused(401, "UNAUTHENTICATED");
    fleet.get("/api/payments/7", &stranger).await.refused(400, "VALIDATION_FAILED");
    assert_eq!(fleet.get(&format!("{path}/"), &fleet.admin()).await.ok(200), opened["payment"]);
}

#[tokio::test]
async fn the_payments_of_an_order_are_its_owners() {
    let fleet = Fleet::start().await;
    let (order, user, first) = fleet.opened().await;
    fleet.advance(1);
    let second = fleet.pay(order, user).await.ok(201);
    let path = format!("/api/payments/order/{order}");
    for token in [fleet.token(user), fleet.admin(), fleet.service()] {
        let payments = fleet.get(&path, &token).await.ok(200);
        assert_eq!(payments.as_array().unwrap().len(), 2);
        assert_eq!(payments[0]["id"], first["payment"]["id"]);
        assert_eq!(payments[1], second["payment"]);
    }
    let stranger = fleet.token(fleet.user());
    fleet.get(&path, &stranger).await.refused(404, "ORDER_NOT_FOUND");
    fleet.get(&format!("/api/payments/order/{UNKNOWN}"), &stranger).await.refused(404, "ORDER_NOT_FOUND");
    fleet.get(&format!("/api/payments/order/{UNKNOWN}"), &fleet.admin()).await.refused(404, "ORDER_NOT_FOUND");
    fleet.send(Method::GET, &path, None, None).await.refused(401, "UNAUTHENTICATED");
    fleet.get("/api/payments/order/7", &stranger).await.refused(400, "VALIDATION_FAILED");
}

#[tokio::test]
async fn an_order_without_payments_is_asked_of_the_order_service() {
    let fleet = Fleet::start().await;
    let user = fleet.user();
    let order = fleet.order(user, 10_000);
    let path = format!("/api/payments/order/{order}");
    assert_eq!(fleet.get(&path, &fleet.token(user)).await.ok(200), json!([]));
    fleet.get(&path, &fleet.token(fleet.user())).await.refused(404, "ORDER_NOT_FOUND");
    fleet.stub_services.go_down(true);
    fleet.get(&path, &fleet.token(user)).await.refused(503, "SERVICE_UNAVAILABLE");
    // Those that are known are answered all the same.
    fleet.stub_services.go_down(false);
    fleet.pay(order, user).await.ok(201);
    fleet.stub_services.go_down(true);
    assert_eq!(fleet.get(&path, &fleet.token(user)).await.ok(200).as_array().unwrap().len(), 1);
}
