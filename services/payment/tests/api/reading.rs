//! `GET /api/payments/{id}` and `GET /api/payments/order/{orderId}`

use reqwest::Method;
use serde_json::json;
use testkit::ResponseExt as _;

use crate::support::{Fleet, payment_id};

const UNKNOWN: &str = "0190163d-8694-739b-aea5-966c26f8ad91";

#[tokio::test]
async fn payment_is_visible_to_its_owner_only() {
    let fleet = Fleet::start().await;
    let (_, user, started) = fleet.started().await;
    let path = format!("/api/payments/{}", payment_id(&started));
    for token in [fleet.token(user), fleet.admin(), fleet.service()] {
        assert_eq!(fleet.get(&path, &token).await.json(200), started["payment"]);
    }
    let stranger = fleet.token(fleet.user());
    let problem = fleet.get(&path, &stranger).await.problem(404, "PAYMENT_NOT_FOUND");
    let missing = fleet.get(&format!("/api/payments/{UNKNOWN}"), &stranger).await.problem(404, "PAYMENT_NOT_FOUND");
    assert_eq!(problem["detail"], missing["detail"]);
    fleet.send(Method::GET, &path, None, None).await.problem(401, "UNAUTHENTICATED");
    fleet.get("/api/payments/7", &stranger).await.problem(400, "VALIDATION_FAILED");
    assert_eq!(fleet.get(&format!("{path}/"), &fleet.admin()).await.json(200), started["payment"]);
}

#[tokio::test]
async fn payments_of_an_order_are_visible_to_its_owner_only() {
    let fleet = Fleet::start().await;
    let (order, user, first) = fleet.started().await;
    fleet.advance(1);
    let second = fleet.pay(order, user).await.json(201);
    let path = format!("/api/payments/order/{order}");
    for token in [fleet.token(user), fleet.admin(), fleet.service()] {
        let payments = fleet.get(&path, &token).await.json(200);
        assert_eq!(payments.as_array().unwrap().len(), 2);
        assert_eq!(payments[0]["id"], first["payment"]["id"]);
        assert_eq!(payments[1], second["payment"]);
    }
    let stranger = fleet.token(fleet.user());
    fleet.get(&path, &stranger).await.problem(404, "ORDER_NOT_FOUND");
    fleet.get(&format!("/api/payments/order/{UNKNOWN}"), &stranger).await.problem(404, "ORDER_NOT_FOUND");
    fleet.get(&format!("/api/payments/order/{UNKNOWN}"), &fleet.admin()).await.problem(404, "ORDER_NOT_FOUND");
    fleet.send(Method::GET, &path, None, None).await.problem(401, "UNAUTHENTICATED");
    fleet.get("/api/payments/order/7", &stranger).await.problem(400, "VALIDATION_FAILED");
}

#[tokio::test]
async fn order_without_payments_is_looked_up_at_the_order_service() {
    let fleet = Fleet::start().await;
    let user = fleet.user();
    let order = fleet.order(user, 10_000);
    let path = format!("/api/payments/order/{order}");
    assert_eq!(fleet.get(&path, &fleet.token(user)).await.json(200), json!([]));
    fleet.get(&path, &fleet.token(fleet.user())).await.problem(404, "ORDER_NOT_FOUND");
    fleet.stub_services.set_unavailable(true);
    fleet.get(&path, &fleet.token(user)).await.problem(503, "SERVICE_UNAVAILABLE");
    // Known payments are returned without the order service.
    fleet.stub_services.set_unavailable(false);
    fleet.pay(order, user).await.json(201);
    fleet.stub_services.set_unavailable(true);
    assert_eq!(fleet.get(&path, &fleet.token(user)).await.json(200).as_array().unwrap().len(), 1);
}
