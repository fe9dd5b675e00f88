//! What is given back, and when: goods and money.
#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect fails")]

use serde_json::{Value, json};
use testkit::fleet::{Fleet, Way, until};
use testkit::in_all_ways;

async fn cancel(person: &testkit::fleet::Person, order: &Value) -> Value {
    let path = format!("/api/orders/{}/cancel", order["id"].as_str().unwrap());
    person.post(&path, &json!({"reason": "changed my mind"})).await.expect(200)
}

async fn cancelling_before_payment_gives_the_goods_back(way: Way) {
    let Some(fleet) = Fleet::of(way).await else { return };
    let person = fleet.customer().await;
    let before = person.stock(1).await;
    let order = person.place(&[(1, 3)]).await;
    let payment = person.pay(&order).await;
    assert_eq!(person.stock(1).await, before - 3);

    let cancelled = cancel(&person, &order).await;
    assert_eq!(cancelled["status"], "cancelled");
    assert!(cancelled["notes"].as_str().unwrap().contains("changed my mind"));
    person.until_stock(1, before).await;
    person.until_payment(&payment, "cancelled").await;
    let _ = person.try_pay(&order).await.refused(409, "ORDER_NOT_PAYABLE");
}

async fn cancelling_after_payment_gives_goods_and_money_back(way: Way) {
    let Some(fleet) = Fleet::of(way).await else { return };
    let person = fleet.customer().await;
    let before = person.stock(1).await;
    let order = person.place(&[(1, 3)]).await;
    let payment = person.pay(&order).await;
    let _ = fleet.charge(&payment, "pm_card_visa").await.expect(200);
    person.until_order(&order, "confirmed", "completed").await;

    let _ = cancel(&person, &order).await;
    person.until_order(&order, "cancelled", "refunded").await;
    person.until_stock(1, before).await;
    let refunded = person.until_payment(&payment, "refunded").await;
    assert_eq!(refunded["refunded_amount"], order["total_amount"]);
    assert_eq!(refunded["refunds"][0]["cause"], "cancelled");
}

async fn a_granted_refund_in_parts_ends_at_the_whole(way: Way) {
    let Some(fleet) = Fleet::of(way).await else { return };
    let person = fleet.customer().await;
    let order = person.place(&[(1, 1)]).await;
    let payment = person.pay(&order).await;
    let _ = fleet.charge(&payment, "pm_card_visa").await.expect(200);
    person.until_order(&order, "confirmed", "completed").await;

    let admin = fleet.admin().await;
    let path = format!("/api/payments/{}/refund", payment["payment"]["id"].as_str().unwrap());
    let _ = person.post(&path, &json!({})).await.refused(403, "FORBIDDEN");
    let _ = admin.post(&path, &json!({"amount": 10, "reason": "a scratch"})).await.expect(200);
    until("ten were given back", || async {
        let order = person.order(&order).await;
        (order["payments"][0]["refunded_amount"] == 10.0).then_some(())
    })
    .await;
    assert_eq!(person.order(&order).await["payment_status"], "completed");
    let _ = admin.post(&path, &json!({"amount": order["total_amount"]})).await.refused(400, "REFUND_TOO_LARGE");
    let _ = admin.post(&path, &json!({})).await.expect(200);
    person.until_order(&order, "confirmed", "refunded").await;
    let _ = admin.post(&path, &json!({})).await.refused(400, "NOT_REFUNDABLE");
}

/// The customer enters the card in the moment in which the order is cancelled elsewhere: the webhook tells of the money
/// when nobody wants it any more.
async fn a_late_payment_of_a_cancelled_order_is_given_back(way: Way) {
    let Some(fleet) = Fleet::of(way).await else { return };
    let person = fleet.customer().await;
    let order = person.place(&[(1, 1)]).await;
    let payment = person.pay(&order).await;
    let (charged, cancelled) = tokio::join!(fleet.charge(&payment, "pm_card_visa"), cancel(&person, &order));
    assert_eq!(cancelled["status"], "cancelled");
    if charged.status == 200 {
        person.until_order(&order, "cancelled", "refunded").await;
        person.until_payment(&payment, "refunded").await;
    } else {
        person.until_payment(&payment, "cancelled").await;
    }
}

async fn an_order_that_nobody_pays_is_cancelled(way: Way) {
    let Some(fleet) = Fleet::with(way, &[("PAYMENT_DEADLINE", "1")]).await else { return };
    let person = fleet.customer().await;
    let before = person.stock(1).await;
    let order = person.place(&[(1, 2)]).await;
    person.until_order(&order, "cancelled", "pending").await;
    person.until_stock(1, before).await;
}

/// A reservation without an order is what is left when the order service dies between the two.
async fn a_reservation_without_an_order_runs_out(way: Way) {
    let Some(fleet) = Fleet::with(way, &[("RESERVATION_TTL", "1")]).await else { return };
    let person = fleet.customer().await;
    let service = fleet.service().await.at(&fleet.run.services["product-service"]);
    let before = person.stock(1).await;
    let orphan = uuid::Uuid::now_v7();
    let form = json!({"orderId": orphan, "items": [{"productId": 1, "quantity": 5}]});
    let reservation = service.post("/api/products/reservations", &form).await.expect(201);
    assert_eq!(reservation["status"], "reserved");
    person.until_stock(1, before).await;
    let path = format!("/api/products/reservations/{orphan}");
    assert_eq!(service.get(&path).await.expect(200)["status"], "released");
    let _ = service.post("/api/products/reservations", &form).await.refused(409, "RESERVATION_RELEASED");
}

async fn a_reservation_with_an_order_is_held(way: Way) {
    let Some(fleet) = Fleet::with(way, &[("RESERVATION_TTL", "1")]).await else { return };
    let person = fleet.customer().await;
    let service = fleet.service().await.at(&fleet.run.services["product-service"]);
    let before = person.stock(1).await;
    let order = person.place(&[(1, 2)]).await;
    let path = format!("/api/products/reservations/{}", order["id"].as_str().unwrap());
    until("the reservation is held", || async {
        (service.get(&path).await.expect(200)["status"] == "held").then_some(())
    })
    .await;
    assert_eq!(person.stock(1).await, before - 2);
}

async fn a_shortage_is_told_and_reserves_nothing(way: Way) {
    let Some(fleet) = Fleet::of(way).await else { return };
    let person = fleet.customer().await;
    let (one, two) = (person.stock(1).await, person.stock(2).await);
    let answer = person.post("/api/orders", &person.order_form(&[(1, 1), (2, two + 1)])).await;
    let refusal = answer.refused(400, "INSUFFICIENT_STOCK");
    assert_eq!(refusal["detail"], "Insufficient stock for some items");
    assert_eq!(refusal["shortages"], json!([{"product_id": 2, "requested": two + 1, "available": two}]));
    assert_eq!((person.stock(1).await, person.stock(2).await), (one, two));
}

in_all_ways!(
    cancelling_before_payment_gives_the_goods_back,
    cancelling_after_payment_gives_goods_and_money_back,
    a_granted_refund_in_parts_ends_at_the_whole,
    a_late_payment_of_a_cancelled_order_is_given_back,
    an_order_that_nobody_pays_is_cancelled,
    a_reservation_without_an_order_runs_out,
    a_reservation_with_an_order_is_held,
    a_shortage_is_told_and_reserves_nothing,
);
