//! Compensation: released stock and refunds.

use serde_json::{Value, json};
use testkit::fleet::{ApiClient, ClientExt as _, Deployment, ResponseExt as _, deploy, deploy_with, until};
use testkit::fleet_tests;

async fn cancel(person: &ApiClient, order: &Value) -> Value {
    let path = format!("/api/orders/{}/cancel", order["id"].as_str().unwrap());
    person.post(&path, &json!({"reason": "changed my mind"})).await.json(200)
}

async fn cancellation_before_payment_releases_stock(deployment: Deployment) {
    let Some(fleet) = deploy(deployment).await else { return };
    let person = fleet.customer().await.unwrap();
    let before = person.stock(1).await;
    let order = person.place(&[(1, 3)]).await;
    let payment = person.pay(&order).await;
    assert_eq!(person.stock(1).await, before - 3);

    let cancelled = cancel(&person, &order).await;
    assert_eq!(cancelled["status"], "cancelled");
    assert!(cancelled["notes"].as_str().unwrap().contains("changed my mind"));
    person.until_stock(1, before).await;
    person.until_payment(&payment, "cancelled").await;
    let _ = person.request_payment(&order).await.problem(409, "ORDER_NOT_PAYABLE");
}

async fn cancellation_after_payment_releases_stock_and_refunds(deployment: Deployment) {
    let Some(fleet) = deploy(deployment).await else { return };
    let person = fleet.customer().await.unwrap();
    let before = person.stock(1).await;
    let order = person.place(&[(1, 3)]).await;
    let payment = person.pay(&order).await;
    let _ = fleet.charge(&payment, "pm_card_visa").await.json(200);
    person.until_order(&order, "confirmed", "completed").await;

    let _ = cancel(&person, &order).await;
    person.until_order(&order, "cancelled", "refunded").await;
    person.until_stock(1, before).await;
    let refunded = person.until_payment(&payment, "refunded").await;
    assert_eq!(refunded["refunded_amount"], order["total_amount"]);
    assert_eq!(refunded["refunds"][0]["cause"], "cancelled");
}

async fn partial_refunds_add_up_to_a_full_refund(deployment: Deployment) {
    let Some(fleet) = deploy(deployment).await else { return };
    let person = fleet.customer().await.unwrap();
    let order = person.place(&[(1, 1)]).await;
    let payment = person.pay(&order).await;
    let _ = fleet.charge(&payment, "pm_card_visa").await.json(200);
    person.until_order(&order, "confirmed", "completed").await;

    let admin = fleet.admin().await.unwrap();
    let path = format!("/api/payments/{}/refund", payment["payment"]["id"].as_str().unwrap());
    let _ = person.post(&path, &json!({})).await.problem(403, "FORBIDDEN");
    let _ = admin.post(&path, &json!({"amount": 10, "reason": "a scratch"})).await.json(200);
    until("a refund of ten", || async {
        let order = person.order(&order).await;
        (order["payments"][0]["refunded_amount"] == 10.0).then_some(())
    })
    .await;
    assert_eq!(person.order(&order).await["payment_status"], "completed");
    let _ = admin.post(&path, &json!({"amount": order["total_amount"]})).await.problem(400, "REFUND_TOO_LARGE");
    let _ = admin.post(&path, &json!({})).await.json(200);
    person.until_order(&order, "confirmed", "refunded").await;
    let _ = admin.post(&path, &json!({})).await.problem(400, "NOT_REFUNDABLE");
}

/// The customer pays while the order is cancelled elsewhere: the webhook reports a payment that is no longer wanted.
async fn late_payment_of_a_cancelled_order_is_refunded(deployment: Deployment) {
    let Some(fleet) = deploy(deployment).await else { return };
    let person = fleet.customer().await.unwrap();
    let order = person.place(&[(1, 1)]).await;
    let payment = person.pay(&order).await;
    let (charged, cancelled) = tokio::join!(fleet.charge(&payment, "pm_card_visa"), cancel(&person, &order));
    assert_eq!(cancelled["status"], "cancelled");
    if charged.unwrap().status == 200 {
        person.until_order(&order, "cancelled", "refunded").await;
        person.until_payment(&payment, "refunded").await;
    } else {
        person.until_payment(&payment, "cancelled").await;
    }
}

async fn unpaid_order_is_cancelled(deployment: Deployment) {
    let Some(fleet) = deploy_with(deployment, &[("PAYMENT_DEADLINE", "1")]).await else { return };
    let person = fleet.customer().await.unwrap();
    let before = person.stock(1).await;
    let order = person.place(&[(1, 2)]).await;
    person.until_order(&order, "cancelled", "pending").await;
    person.until_stock(1, before).await;
}

/// A reservation without an order remains when the order service crashes between the two.
async fn reservation_without_an_order_expires(deployment: Deployment) {
    let Some(fleet) = deploy_with(deployment, &[("RESERVATION_TTL", "1")]).await else { return };
    let person = fleet.customer().await.unwrap();
    let service = fleet.service().await.unwrap().at(&fleet.run.services["product-service"]);
    let before = person.stock(1).await;
    let orphan = uuid::Uuid::now_v7();
    let form = json!({"orderId": orphan, "items": [{"productId": 1, "quantity": 5}]});
    let reservation = service.post("/api/products/reservations", &form).await.json(201);
    assert_eq!(reservation["status"], "reserved");
    person.until_stock(1, before).await;
    let path = format!("/api/products/reservations/{orphan}");
    assert_eq!(service.get(&path).await.json(200)["status"], "released");
    let _ = service.post("/api/products/reservations", &form).await.problem(409, "RESERVATION_RELEASED");
}

async fn reservation_with_an_order_is_held(deployment: Deployment) {
    let Some(fleet) = deploy_with(deployment, &[("RESERVATION_TTL", "1")]).await else { return };
    let person = fleet.customer().await.unwrap();
    let service = fleet.service().await.unwrap().at(&fleet.run.services["product-service"]);
    let before = person.stock(1).await;
    let order = person.place(&[(1, 2)]).await;
    let path = format!("/api/products/reservations/{}", order["id"].as_str().unwrap());
    until("the reservation is held", || async {
        (service.get(&path).await.json(200)["status"] == "held").then_some(())
    })
    .await;
    assert_eq!(person.stock(1).await, before - 2);
}

async fn shortage_is_reported_and_reserves_nothing(deployment: Deployment) {
    let Some(fleet) = deploy(deployment).await else { return };
    let person = fleet.customer().await.unwrap();
    let (one, two) = (person.stock(1).await, person.stock(2).await);
    let response = person.post("/api/orders", &person.order_form(&[(1, 1), (2, two + 1)])).await;
    let error = response.problem(400, "INSUFFICIENT_STOCK");
    assert_eq!(error["detail"], "Insufficient stock for some items");
    assert_eq!(error["shortages"], json!([{"product_id": 2, "requested": two + 1, "available": two}]));
    assert_eq!((person.stock(1).await, person.stock(2).await), (one, two));
}

fleet_tests!(
    cancellation_before_payment_releases_stock,
    cancellation_after_payment_releases_stock_and_refunds,
    partial_refunds_add_up_to_a_full_refund,
    late_payment_of_a_cancelled_order_is_refunded,
    unpaid_order_is_cancelled,
    reservation_without_an_order_expires,
    reservation_with_an_order_is_held,
    shortage_is_reported_and_reserves_nothing,
);
