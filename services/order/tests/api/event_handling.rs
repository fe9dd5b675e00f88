//! Consumed events

use common::telemetry::clock::Clock;
use contracts::api::PaymentStatus as Status;
use contracts::event::PaymentChanged;
use contracts::{Event, OrderId};
use serde_json::{Value, json};
use testkit::{ResponseExt as _, eventually};

use crate::support::{TIMEOUT, TestApp, UNKNOWN, events, id, path};

/// Waits until this number of messages has been consumed.
async fn consumed(app: &TestApp, messages: i64) {
    let count = "SELECT count(*) FROM inbox";
    eventually("the messages are consumed", TIMEOUT, || async {
        (app.database.number(count).await == messages).then_some(())
    })
    .await;
}

/// Waits until a message that is published later has been consumed.
async fn settle(app: &TestApp) {
    let (_, order) = app.placed().await;
    app.pay(&order).await;
}

#[tokio::test]
async fn completed_payment_confirms_its_order() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    let payment = app.payment_id();
    app.publish(&[Event::PaymentCreated(app.changed(&order, payment, 1, Status::Pending))]).await;
    let started = app.until(&order, "the payment is known", |order| order["payments"][0]["status"] == "pending").await;
    assert_eq!((&started["status"], &started["payment_status"]), (&json!("pending"), &json!("pending")));
    app.publish(&[Event::PaymentProcessing(app.changed(&order, payment, 2, Status::Processing))]).await;
    app.until(&order, "the payment is processing", |order| order["payment_status"] == "processing").await;
    app.advance(3);
    app.publish(&[Event::PaymentCompleted(app.changed(&order, payment, 3, Status::Completed))]).await;
    let paid = app.until(&order, "the order is paid", |order| order["payment_status"] == "completed").await;
    assert_eq!(paid["status"], "confirmed");
    let expected = json!([{
        "id": payment, "payment_method": "card", "amount": 74.77, "currency": "USD", "status": "completed",
        "refunded_amount": 0.0, "created_at": paid["payments"][0]["created_at"], "processed_at": paid["updated_at"],
    }]);
    assert_eq!(paid["payments"], expected);
    let (kind, data) = app.events(&order).await.pop().unwrap();
    assert_eq!((kind.as_str(), &data["status"]), ("order.updated", &json!("confirmed")));
    assert_eq!(app.get(&path(&order), &app.token(user)).await.json(200), paid);
    let listed = app.get("/api/orders", &app.token(user)).await.json(200);
    assert_eq!(listed["orders"], json!([paid]));
}

#[tokio::test]
async fn order_is_paid_by_a_payment_after_a_failed_one() {
    let app = TestApp::start().await;
    let (_, order) = app.placed().await;
    app.publish(&[Event::PaymentFailed(app.changed(&order, app.payment_id(), 2, Status::Failed))]).await;
    let failed = app.until(&order, "the payment failed", |order| order["payment_status"] == "failed").await;
    assert_eq!(failed["status"], "pending");
    app.advance(1);
    let second = app.payment_id();
    app.publish(&[Event::PaymentCreated(app.changed(&order, second, 1, Status::Pending))]).await;
    app.until(&order, "the second payment is pending", |order| order["payment_status"] == "pending").await;
    app.publish(&[Event::PaymentCancelled(app.changed(&order, second, 2, Status::Cancelled))]).await;
    let cancelled = app
        .until(&order, "the second payment is cancelled", |order| order["payments"][1]["status"] == "cancelled")
        .await;
    assert_eq!(cancelled["payment_status"], "pending");
    app.advance(1);
    let (_, paid) = app.pay(&order).await;
    assert_eq!((&paid["status"], paid["payments"].as_array().unwrap().len()), (&json!("confirmed"), 3));
}

#[tokio::test]
async fn repeated_message_is_applied_once() {
    let app = TestApp::start().await;
    let (_, order) = app.placed().await;
    let payment = app.payment_id();
    let same = app.message(&Event::PaymentCompleted(app.changed(&order, payment, 2, Status::Completed)));
    let refund = app.message(&app.refunded(&order, payment, 1000, 1000));
    app.publish_messages(&[same.clone(), same.clone(), refund.clone(), refund, same]).await;
    app.until(&order, "the refund is applied", |order| order["payments"][0]["refunded_amount"] == 10.0).await;
    settle(&app).await;
    let paid = app.order(order["id"].as_str().unwrap()).await;
    assert_eq!((&paid["status"], &paid["payment_status"]), (&json!("confirmed"), &json!("completed")));
    assert_eq!(paid["payments"][0]["refunded_amount"], 10.0);
    assert_eq!(app.event_kinds(&order).await, ["order.created", "order.updated"]);
}

#[tokio::test]
async fn delayed_older_version_is_ignored() {
    let app = TestApp::start().await;
    let (_, order) = app.placed().await;
    let payment = app.payment_id();
    app.publish(&[Event::PaymentCompleted(app.changed(&order, payment, 3, Status::Completed))]).await;
    let paid = app.until(&order, "the order is paid", |order| order["payment_status"] == "completed").await;
    app.advance(1);
    app.publish(&[
        Event::PaymentProcessing(app.changed(&order, payment, 2, Status::Processing)),
        Event::PaymentCreated(app.changed(&order, payment, 1, Status::Pending)),
    ])
    .await;
    consumed(&app, 3).await;
    assert_eq!(app.order(order["id"].as_str().unwrap()).await, paid);
}

#[tokio::test]
async fn refund_may_arrive_before_its_payment() {
    let app = TestApp::start().await;
    let (_, order) = app.placed().await;
    let payment = app.payment_id();
    app.publish(&[app.refunded(&order, payment, 7477, 7477)]).await;
    let refunded = app.until(&order, "the refund is known", |order| order["payment_status"] == "refunded").await;
    assert_eq!((&refunded["payments"], &refunded["status"]), (&json!([]), &json!("pending")));
    app.publish(&[Event::PaymentCompleted(app.changed(&order, payment, 2, Status::Completed))]).await;
    let known = app.until(&order, "the payment is known", |order| order["payments"] != json!([])).await;
    assert_eq!((&known["status"], &known["payment_status"]), (&json!("confirmed"), &json!("refunded")));
    let shown = &known["payments"][0];
    assert_eq!((&shown["status"], &shown["refunded_amount"]), (&json!("refunded"), &json!(74.77)));
}

#[tokio::test]
async fn partial_refunds_add_up_to_a_full_refund() {
    let app = TestApp::start().await;
    let (_, order) = app.placed().await;
    let (payment, _) = app.pay(&order).await;
    // The second refund arrives before the first.
    app.publish(&[app.refunded(&order, payment, 2000, 3000)]).await;
    let partial =
        app.until(&order, "a part is refunded", |order| order["payments"][0]["refunded_amount"] == 30.0).await;
    assert_eq!(
        (&partial["payment_status"], &partial["payments"][0]["status"]),
        (&json!("completed"), &json!("completed"))
    );
    app.publish(&[app.refunded(&order, payment, 1000, 1000)]).await;
    app.publish(&[app.refunded(&order, payment, 4477, 7477)]).await;
    let full = app.until(&order, "everything is refunded", |order| order["payment_status"] == "refunded").await;
    assert_eq!((&full["status"], &full["payments"][0]["status"]), (&json!("confirmed"), &json!("refunded")));
    consumed(&app, 4).await;
    let refunds = "SELECT count(*) FROM order_refunds WHERE cause = 'granted'";
    assert_eq!(app.database.number(refunds).await, 3);
    let refunded = "SELECT CAST(sum(amount) AS BIGINT) FROM order_refunds WHERE cause = 'granted'";
    assert_eq!(app.database.number(refunded).await, 7477);
}

#[tokio::test]
async fn refund_that_fails_later_counts_as_captured_again() {
    let app = TestApp::start().await;
    let (_, order) = app.placed().await;
    let (payment, _) = app.pay(&order).await;
    app.advance(1);
    let first = app.refunded_as(&order, payment, 2, 7477);
    app.publish(&[Event::PaymentRefunded(first.clone())]).await;
    app.until(&order, "the order is refunded", |order| order["payment_status"] == "refunded").await;
    app.advance(1);
    app.publish(&[app.refund_failed(&first, 3)]).await;
    let back = app.until(&order, "the refund failed", |order| order["payment_status"] == "completed").await;
    let shown = &back["payments"][0];
    assert_eq!((&shown["status"], &shown["refunded_amount"]), (&json!("completed"), &json!(0.0)));

    // The next attempt succeeds, and repeated events of the first arrive late.
    app.advance(1);
    let second = app.refunded_as(&order, payment, 4, 7477);
    app.publish(&[Event::PaymentRefunded(second)]).await;
    app.until(&order, "the order is refunded again", |order| order["payment_status"] == "refunded").await;
    app.publish(&[app.refund_failed(&first, 3), Event::PaymentRefunded(first)]).await;
    consumed(&app, 6).await;
    let last = app.order(order["id"].as_str().unwrap()).await;
    assert_eq!((&last["payment_status"], &last["payments"][0]["refunded_amount"]), (&json!("refunded"), &json!(74.77)));

    let entries = app.get(&format!("{}/timeline", path(&order)), &app.admin()).await.json(200);
    let of = |kind: &str| {
        let entries = entries.as_array().unwrap().iter().filter(|entry| entry["type"] == kind);
        entries.map(|entry| entry["summary"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let succeeded = of("payment.refunded").into_iter().filter(|summary| summary.contains("succeeded")).count();
    assert_eq!(succeeded, 1, "{entries:#}");
    let failures = of("payment.refund_failed");
    assert!(failures[0].starts_with("Refund of 74.77 failed: expired_or_canceled_card"), "{failures:?}");
}

#[tokio::test]
async fn late_payment_does_not_reactivate_a_cancelled_order() {
    let app = TestApp::start().await;
    let (_, order) = app.placed_in("cancelled").await;
    let payment = app.payment_id();
    let late = PaymentChanged { counts: false, ..app.changed(&order, payment, 2, Status::Completed) };
    app.publish(&[Event::PaymentCompleted(late)]).await;
    let known = app.until(&order, "the payment is known", |order| order["payments"] != json!([])).await;
    assert_eq!((&known["status"], &known["payment_status"]), (&json!("cancelled"), &json!("pending")));
    app.publish(&[app.refunded(&order, payment, 7477, 7477)]).await;
    let refunded = app.until(&order, "the order is refunded", |order| order["payment_status"] == "refunded").await;
    assert_eq!(refunded["status"], "cancelled");
    assert_eq!(app.event_kinds(&order).await, ["order.created", "order.cancelled"]);
}

#[tokio::test]
async fn payment_of_an_unknown_order_is_ignored() {
    let app = TestApp::start().await;
    let (_, order) = app.placed().await;
    let mut foreign: Value = order.clone();
    foreign["id"] = json!(UNKNOWN);
    app.publish(&[
        Event::PaymentCompleted(app.changed(&foreign, app.payment_id(), 1, Status::Completed)),
        app.refunded(&foreign, app.payment_id(), 1, 1),
    ])
    .await;
    settle(&app).await;
    app.get(&format!("/api/orders/{UNKNOWN}"), &app.admin()).await.problem(404, "ORDER_NOT_FOUND");
}

#[tokio::test]
async fn stock_events_do_not_change_an_order() {
    let app = TestApp::start().await;
    let (_, order) = app.placed().await;
    let unknown = OrderId::generate(app.clock.now());
    app.publish(&[events::stock_released(id(&order)), events::stock_released(unknown)]).await;
    settle(&app).await;
    assert_eq!(app.order(order["id"].as_str().unwrap()).await, order);
}
