//! Orders that nobody pays within the deadline, which is a minute here

use chrono::DateTime;
use contracts::Event;
use contracts::calls::PaymentStatus as Status;
use serde_json::{Value, json};

use crate::support::{Shop, path};

fn placed_at(order: &Value) -> i64 {
    DateTime::parse_from_rfc3339(order["created_at"].as_str().unwrap()).unwrap().timestamp_millis()
}

#[tokio::test]
async fn an_order_that_nobody_pays_is_cancelled() {
    let shop = Shop::start().await;
    assert_eq!(shop.work().await, None, "there is nothing to wait for");
    let (user, order) = shop.placed().await;
    assert_eq!(shop.work().await.unwrap().timestamp_millis(), placed_at(&order) + 60_000);
    shop.advance(59);
    shop.work().await;
    assert_eq!(shop.order(order["id"].as_str().unwrap()).await["status"], "pending");
    shop.advance(1);
    assert_eq!(shop.work().await, None);
    let cancelled = shop.get(&path(&order), &shop.token(user)).await.ok(200);
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!(cancelled["notes"], "Cancellation reason: Payment deadline exceeded");
    let (kind, data) = shop.events(&order).await.pop().unwrap();
    assert_eq!((kind.as_str(), &data["reason"]), ("order.cancelled", &json!("Payment deadline exceeded")));
    assert_eq!(data["items"], json!([{"product_id": 1, "quantity": 2}]));
}

#[tokio::test]
async fn an_admins_word_is_no_money() {
    let shop = Shop::start().await;
    let (_, confirmed) = shop.placed_in("confirmed").await;
    let (_, processing) = shop.placed_in("processing").await;
    shop.advance(60);
    shop.work().await;
    assert_eq!(shop.order(confirmed["id"].as_str().unwrap()).await["status"], "cancelled");
    assert_eq!(shop.order(processing["id"].as_str().unwrap()).await["status"], "processing");
}

#[tokio::test]
async fn an_order_that_was_paid_stays() {
    let shop = Shop::start().await;
    let (_, order) = shop.placed().await;
    let (payment, _) = shop.pay(&order).await;
    shop.publish(&[shop.refunded(&order, payment, 7477, 7477)]).await;
    shop.until(&order, "it is refunded", |order| order["payment_status"] == "refunded").await;
    shop.advance(3600);
    assert_eq!(shop.work().await, None);
    assert_eq!(shop.order(order["id"].as_str().unwrap()).await["status"], "confirmed");
}

#[tokio::test]
async fn a_payment_that_failed_is_no_money_either() {
    let shop = Shop::start().await;
    let (_, order) = shop.placed().await;
    shop.publish(&[Event::PaymentFailed(shop.changed(&order, shop.payment_id(), 1, Status::Failed))]).await;
    shop.until(&order, "it failed", |order| order["payment_status"] == "failed").await;
    shop.advance(60);
    shop.work().await;
    assert_eq!(shop.order(order["id"].as_str().unwrap()).await["status"], "cancelled");
}

#[tokio::test]
async fn order_waits_while_the_provider_is_processing() {
    let shop = Shop::start().await;
    let (_, order) = shop.placed().await;
    let due = |order: &Value| {
        let due = DateTime::parse_from_rfc3339(order["payment_due_at"].as_str().unwrap()).unwrap();
        due.timestamp_millis() - placed_at(order)
    };
    assert_eq!(due(&order), 60_000);
    let payment = shop.payment_id();
    shop.publish(&[Event::PaymentProcessing(shop.changed(&order, payment, 1, Status::Processing))]).await;
    let taken = shop.until(&order, "it is being taken", |order| order["payment_status"] == "processing").await;
    assert_eq!(due(&taken), 24 * 3_600_000);
    shop.advance(60);
    assert_eq!(shop.work().await.unwrap().timestamp_millis(), placed_at(&order) + 24 * 3_600_000);
    assert_eq!(shop.order(order["id"].as_str().unwrap()).await["status"], "pending");
    shop.publish(&[Event::PaymentFailed(shop.changed(&order, payment, 2, Status::Failed))]).await;
    shop.until(&order, "it failed", |order| order["payment_status"] == "failed").await;
    assert_eq!(shop.work().await, None);
    let cancelled = shop.order(order["id"].as_str().unwrap()).await;
    assert_eq!((&cancelled["status"], &cancelled["payment_due_at"]), (&json!("cancelled"), &Value::Null));
}

#[tokio::test]
async fn payment_of_a_paid_order_is_not_due() {
    let shop = Shop::start().await;
    let (_, order) = shop.placed().await;
    let (_, paid) = shop.pay(&order).await;
    assert_eq!(paid["payment_due_at"], Value::Null);
}

#[tokio::test]
async fn the_one_that_is_due_first_is_waited_for() {
    let shop = Shop::start().await;
    let (_, first) = shop.placed().await;
    shop.advance(10);
    let (_, second) = shop.placed().await;
    shop.advance(50);
    assert_eq!(shop.work().await.unwrap().timestamp_millis(), placed_at(&second) + 60_000);
    assert_eq!(shop.order(first["id"].as_str().unwrap()).await["status"], "cancelled");
    assert_eq!(shop.order(second["id"].as_str().unwrap()).await["status"], "pending");
}
