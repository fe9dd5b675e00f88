//! What comes by the queues

use common::clock::Clock;
use contracts::calls::PaymentStatus as Status;
use contracts::event::PaymentChanged;
use contracts::{Event, OrderId};
use serde_json::{Value, json};
use testkit::eventually;

use crate::support::{PATIENCE, Shop, UNKNOWN, events, id, path};

/// Waits until so many messages have had their effect.
async fn heard(shop: &Shop, messages: i64) {
    let count = "SELECT count(*) FROM inbox";
    eventually("the messages are heard", PATIENCE, || async {
        (shop.database.number(count).await == messages).then_some(())
    })
    .await;
}

/// Waits until a message that was published later has had its effect.
async fn settle(shop: &Shop) {
    let (_, order) = shop.placed().await;
    shop.pay(&order).await;
}

#[tokio::test]
async fn a_payment_confirms_its_order() {
    let shop = Shop::start().await;
    let (user, order) = shop.placed().await;
    let payment = shop.payment_id();
    shop.publish(&[Event::PaymentCreated(shop.changed(&order, payment, 1, Status::Pending))]).await;
    let begun = shop.until(&order, "it is known", |order| order["payments"][0]["status"] == "pending").await;
    assert_eq!((&begun["status"], &begun["payment_status"]), (&json!("pending"), &json!("pending")));
    shop.publish(&[Event::PaymentProcessing(shop.changed(&order, payment, 2, Status::Processing))]).await;
    shop.until(&order, "it is being taken", |order| order["payment_status"] == "processing").await;
    shop.advance(3);
    shop.publish(&[Event::PaymentCompleted(shop.changed(&order, payment, 3, Status::Completed))]).await;
    let paid = shop.until(&order, "it is paid", |order| order["payment_status"] == "completed").await;
    assert_eq!(paid["status"], "confirmed");
    let expected = json!([{
        "id": payment, "payment_method": "card", "amount": 74.77, "currency": "USD", "status": "completed",
        "refunded_amount": 0.0, "created_at": paid["payments"][0]["created_at"], "processed_at": paid["updated_at"],
    }]);
    assert_eq!(paid["payments"], expected);
    let (kind, data) = shop.events(&order).await.pop().unwrap();
    assert_eq!((kind.as_str(), &data["status"]), ("order.updated", &json!("confirmed")));
    assert_eq!(shop.get(&path(&order), &shop.token(user)).await.ok(200), paid);
    let listed = shop.get("/api/orders", &shop.token(user)).await.ok(200);
    assert_eq!(listed["orders"], json!([paid]));
}

#[tokio::test]
async fn a_failed_payment_is_followed_by_another() {
    let shop = Shop::start().await;
    let (_, order) = shop.placed().await;
    shop.publish(&[Event::PaymentFailed(shop.changed(&order, shop.payment_id(), 2, Status::Failed))]).await;
    let failed = shop.until(&order, "it failed", |order| order["payment_status"] == "failed").await;
    assert_eq!(failed["status"], "pending");
    shop.advance(1);
    let second = shop.payment_id();
    shop.publish(&[Event::PaymentCreated(shop.changed(&order, second, 1, Status::Pending))]).await;
    shop.until(&order, "the second waits", |order| order["payment_status"] == "pending").await;
    shop.publish(&[Event::PaymentCancelled(shop.changed(&order, second, 2, Status::Cancelled))]).await;
    let given_up = shop.until(&order, "it is given up", |order| order["payments"][1]["status"] == "cancelled").await;
    assert_eq!(given_up["payment_status"], "pending");
    shop.advance(1);
    let (_, paid) = shop.pay(&order).await;
    assert_eq!((&paid["status"], paid["payments"].as_array().unwrap().len()), (&json!("confirmed"), 3));
}

#[tokio::test]
async fn a_message_that_comes_twice_has_its_effect_once() {
    let shop = Shop::start().await;
    let (_, order) = shop.placed().await;
    let payment = shop.payment_id();
    let same = shop.message(&Event::PaymentCompleted(shop.changed(&order, payment, 2, Status::Completed)));
    let refund = shop.message(&shop.refunded(&order, payment, 1000, 1000));
    shop.publish_messages(&[same.clone(), same.clone(), refund.clone(), refund, same]).await;
    shop.until(&order, "it was refunded", |order| order["payments"][0]["refunded_amount"] == 10.0).await;
    settle(&shop).await;
    let paid = shop.order(order["id"].as_str().unwrap()).await;
    assert_eq!((&paid["status"], &paid["payment_status"]), (&json!("confirmed"), &json!("completed")));
    assert_eq!(paid["payments"][0]["refunded_amount"], 10.0);
    assert_eq!(shop.event_kinds(&order).await, ["order.created", "order.updated"]);
}

#[tokio::test]
async fn an_older_version_that_comes_late_changes_nothing() {
    let shop = Shop::start().await;
    let (_, order) = shop.placed().await;
    let payment = shop.payment_id();
    shop.publish(&[Event::PaymentCompleted(shop.changed(&order, payment, 3, Status::Completed))]).await;
    let paid = shop.until(&order, "it is paid", |order| order["payment_status"] == "completed").await;
    shop.advance(1);
    shop.publish(&[
        Event::PaymentProcessing(shop.changed(&order, payment, 2, Status::Processing)),
        Event::PaymentCreated(shop.changed(&order, payment, 1, Status::Pending)),
    ])
    .await;
    heard(&shop, 3).await;
    assert_eq!(shop.order(order["id"].as_str().unwrap()).await, paid);
}

#[tokio::test]
async fn a_refund_may_overtake_its_payment() {
    let shop = Shop::start().await;
    let (_, order) = shop.placed().await;
    let payment = shop.payment_id();
    shop.publish(&[shop.refunded(&order, payment, 7477, 7477)]).await;
    let hidden = shop.until(&order, "the refund is known", |order| order["payment_status"] == "refunded").await;
    assert_eq!((&hidden["payments"], &hidden["status"]), (&json!([]), &json!("pending")));
    shop.publish(&[Event::PaymentCompleted(shop.changed(&order, payment, 2, Status::Completed))]).await;
    let known = shop.until(&order, "its payment is known", |order| order["payments"] != json!([])).await;
    assert_eq!((&known["status"], &known["payment_status"]), (&json!("confirmed"), &json!("refunded")));
    let shown = &known["payments"][0];
    assert_eq!((&shown["status"], &shown["refunded_amount"]), (&json!("refunded"), &json!(74.77)));
}

#[tokio::test]
async fn refunds_in_parts_end_at_the_whole() {
    let shop = Shop::start().await;
    let (_, order) = shop.placed().await;
    let (payment, _) = shop.pay(&order).await;
    // The second overtakes the first.
    shop.publish(&[shop.refunded(&order, payment, 2000, 3000)]).await;
    let part = shop.until(&order, "a part went back", |order| order["payments"][0]["refunded_amount"] == 30.0).await;
    assert_eq!((&part["payment_status"], &part["payments"][0]["status"]), (&json!("completed"), &json!("completed")));
    shop.publish(&[shop.refunded(&order, payment, 1000, 1000)]).await;
    shop.publish(&[shop.refunded(&order, payment, 4477, 7477)]).await;
    let whole = shop.until(&order, "all went back", |order| order["payment_status"] == "refunded").await;
    assert_eq!((&whole["status"], &whole["payments"][0]["status"]), (&json!("confirmed"), &json!("refunded")));
    heard(&shop, 4).await;
    let refunds = "SELECT count(*) FROM order_refunds WHERE cause = 'granted'";
    assert_eq!(shop.database.number(refunds).await, 3);
    let refunded = "SELECT CAST(sum(amount) AS BIGINT) FROM order_refunds WHERE cause = 'granted'";
    assert_eq!(shop.database.number(refunded).await, 7477);
}

#[tokio::test]
async fn refund_that_fails_later_is_money_of_the_order_again() {
    let shop = Shop::start().await;
    let (_, order) = shop.placed().await;
    let (payment, _) = shop.pay(&order).await;
    shop.advance(1);
    let first = shop.refunded_as(&order, payment, 2, 7477);
    shop.publish(&[Event::PaymentRefunded(first.clone())]).await;
    shop.until(&order, "it is refunded", |order| order["payment_status"] == "refunded").await;
    shop.advance(1);
    shop.publish(&[shop.refund_failed(&first, 3)]).await;
    let back = shop.until(&order, "the refund failed", |order| order["payment_status"] == "completed").await;
    let shown = &back["payments"][0];
    assert_eq!((&shown["status"], &shown["refunded_amount"]), (&json!("completed"), &json!(0.0)));

    // The next try succeeds, and what is published again comes late.
    shop.advance(1);
    let second = shop.refunded_as(&order, payment, 4, 7477);
    shop.publish(&[Event::PaymentRefunded(second)]).await;
    shop.until(&order, "it is refunded again", |order| order["payment_status"] == "refunded").await;
    shop.publish(&[shop.refund_failed(&first, 3), Event::PaymentRefunded(first)]).await;
    heard(&shop, 6).await;
    let last = shop.order(order["id"].as_str().unwrap()).await;
    assert_eq!((&last["payment_status"], &last["payments"][0]["refunded_amount"]), (&json!("refunded"), &json!(74.77)));

    let entries = shop.get(&format!("{}/timeline", path(&order)), &shop.admin()).await.ok(200);
    let of = |kind: &str| {
        let entries = entries.as_array().unwrap().iter().filter(|entry| entry["type"] == kind);
        entries.map(|entry| entry["summary"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let given_back = of("payment.refunded").into_iter().filter(|summary| summary.contains("given back")).count();
    assert_eq!(given_back, 1, "{entries:#}");
    let failures = of("payment.refund_failed");
    assert!(failures[0].starts_with("Refund failed: expired_or_canceled_card"), "{failures:?}");
}

#[tokio::test]
async fn a_late_payment_does_not_revive_a_cancelled_order() {
    let shop = Shop::start().await;
    let (_, order) = shop.placed_in("cancelled").await;
    let payment = shop.payment_id();
    let late = PaymentChanged { counts: false, ..shop.changed(&order, payment, 2, Status::Completed) };
    shop.publish(&[Event::PaymentCompleted(late)]).await;
    let known = shop.until(&order, "the payment is known", |order| order["payments"] != json!([])).await;
    assert_eq!((&known["status"], &known["payment_status"]), (&json!("cancelled"), &json!("pending")));
    shop.publish(&[shop.refunded(&order, payment, 7477, 7477)]).await;
    let refunded = shop.until(&order, "it is refunded", |order| order["payment_status"] == "refunded").await;
    assert_eq!(refunded["status"], "cancelled");
    assert_eq!(shop.event_kinds(&order).await, ["order.created", "order.cancelled"]);
}

#[tokio::test]
async fn a_payment_of_an_order_that_does_not_exist_is_left_alone() {
    let shop = Shop::start().await;
    let (_, order) = shop.placed().await;
    let mut foreign: Value = order.clone();
    foreign["id"] = json!(UNKNOWN);
    shop.publish(&[
        Event::PaymentCompleted(shop.changed(&foreign, shop.payment_id(), 1, Status::Completed)),
        shop.refunded(&foreign, shop.payment_id(), 1, 1),
    ])
    .await;
    settle(&shop).await;
    shop.get(&format!("/api/orders/{UNKNOWN}"), &shop.admin()).await.refused(404, "ORDER_NOT_FOUND");
}

#[tokio::test]
async fn what_is_told_of_the_stock_changes_no_order() {
    let shop = Shop::start().await;
    let (_, order) = shop.placed().await;
    let nobody = OrderId::generate(shop.clock.now());
    shop.publish(&[events::stock_released(id(&order)), events::stock_released(nobody)]).await;
    settle(&shop).await;
    assert_eq!(shop.order(order["id"].as_str().unwrap()).await, order);
}
