//! Orders that are not paid by the deadline, which is one minute in these tests

use chrono::DateTime;
use contracts::Event;
use contracts::api::PaymentStatus as Status;
use serde_json::{Value, json};
use testkit::ResponseExt as _;

use crate::support::{TestApp, path};

fn placed_at(order: &Value) -> i64 {
    DateTime::parse_from_rfc3339(order["created_at"].as_str().unwrap()).unwrap().timestamp_millis()
}

#[tokio::test]
async fn unpaid_order_is_cancelled() {
    let app = TestApp::start().await;
    assert_eq!(app.run_deadline_worker().await, None, "no order awaits a payment");
    let (user, order) = app.placed().await;
    assert_eq!(app.run_deadline_worker().await.unwrap().timestamp_millis(), placed_at(&order) + 60_000);
    app.advance(59);
    app.run_deadline_worker().await;
    assert_eq!(app.order(order["id"].as_str().unwrap()).await["status"], "pending");
    app.advance(1);
    assert_eq!(app.run_deadline_worker().await, None);
    let cancelled = app.get(&path(&order), &app.token(user)).await.json(200);
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!(cancelled["notes"], "Cancellation reason: Payment deadline exceeded");
    let (kind, data) = app.events(&order).await.pop().unwrap();
    assert_eq!((kind.as_str(), &data["reason"]), ("order.cancelled", &json!("Payment deadline exceeded")));
    assert_eq!(data["items"], json!([{"product_id": 1, "quantity": 2}]));
}

#[tokio::test]
async fn order_confirmed_without_payment_is_cancelled() {
    let app = TestApp::start().await;
    let (_, confirmed) = app.placed_in("confirmed").await;
    let (_, processing) = app.placed_in("processing").await;
    app.advance(60);
    app.run_deadline_worker().await;
    assert_eq!(app.order(confirmed["id"].as_str().unwrap()).await["status"], "cancelled");
    assert_eq!(app.order(processing["id"].as_str().unwrap()).await["status"], "processing");
}

#[tokio::test]
async fn paid_order_is_kept_even_if_refunded() {
    let app = TestApp::start().await;
    let (_, order) = app.placed().await;
    let (payment, _) = app.pay(&order).await;
    app.publish(&[app.refunded(&order, payment, 7477, 7477)]).await;
    app.until(&order, "the order is refunded", |order| order["payment_status"] == "refunded").await;
    app.advance(3600);
    assert_eq!(app.run_deadline_worker().await, None);
    assert_eq!(app.order(order["id"].as_str().unwrap()).await["status"], "confirmed");
}

#[tokio::test]
async fn order_with_a_failed_payment_is_cancelled() {
    let app = TestApp::start().await;
    let (_, order) = app.placed().await;
    app.publish(&[Event::PaymentFailed(app.changed(&order, app.payment_id(), 1, Status::Failed))]).await;
    app.until(&order, "the payment failed", |order| order["payment_status"] == "failed").await;
    app.advance(60);
    app.run_deadline_worker().await;
    assert_eq!(app.order(order["id"].as_str().unwrap()).await["status"], "cancelled");
}

#[tokio::test]
async fn order_waits_while_the_provider_is_processing() {
    let app = TestApp::start().await;
    let (_, order) = app.placed().await;
    let due = |order: &Value| {
        let due = DateTime::parse_from_rfc3339(order["payment_due_at"].as_str().unwrap()).unwrap();
        due.timestamp_millis() - placed_at(order)
    };
    assert_eq!(due(&order), 60_000);
    let payment = app.payment_id();
    app.publish(&[Event::PaymentProcessing(app.changed(&order, payment, 1, Status::Processing))]).await;
    let processing =
        app.until(&order, "the payment is processing", |order| order["payment_status"] == "processing").await;
    assert_eq!(due(&processing), 24 * 3_600_000);
    app.advance(60);
    assert_eq!(app.run_deadline_worker().await.unwrap().timestamp_millis(), placed_at(&order) + 24 * 3_600_000);
    assert_eq!(app.order(order["id"].as_str().unwrap()).await["status"], "pending");
    app.publish(&[Event::PaymentFailed(app.changed(&order, payment, 2, Status::Failed))]).await;
    app.until(&order, "the payment failed", |order| order["payment_status"] == "failed").await;
    assert_eq!(app.run_deadline_worker().await, None);
    let cancelled = app.order(order["id"].as_str().unwrap()).await;
    assert_eq!((&cancelled["status"], &cancelled["payment_due_at"]), (&json!("cancelled"), &Value::Null));
}

#[tokio::test]
async fn payment_of_a_paid_order_is_not_due() {
    let app = TestApp::start().await;
    let (_, order) = app.placed().await;
    let (_, paid) = app.pay(&order).await;
    assert_eq!(paid["payment_due_at"], Value::Null);
}

#[tokio::test]
async fn next_step_is_scheduled_for_the_earliest_deadline() {
    let app = TestApp::start().await;
    let (_, first) = app.placed().await;
    app.advance(10);
    let (_, second) = app.placed().await;
    app.advance(50);
    assert_eq!(app.run_deadline_worker().await.unwrap().timestamp_millis(), placed_at(&second) + 60_000);
    assert_eq!(app.order(first["id"].as_str().unwrap()).await["status"], "cancelled");
    assert_eq!(app.order(second["id"].as_str().unwrap()).await["status"], "pending");
}
