//! `GET /api/orders/{id}/timeline`

use contracts::Event;
use contracts::api::PaymentStatus as Status;
use contracts::event::ReservationChanged;
use serde_json::{Value, json};
use testkit::{ResponseExt as _, eventually};

use crate::support::{TIMEOUT, TestApp, id, path};

fn reservation_change(order: &Value) -> ReservationChanged {
    ReservationChanged { order_id: id(order), items: Vec::new() }
}

async fn timeline(app: &TestApp, order: &Value) -> Vec<Value> {
    let entries = app.get(&format!("{}/timeline", path(order)), &app.admin()).await.json(200);
    entries.as_array().unwrap().clone()
}

#[tokio::test]
async fn events_of_an_order_are_listed_in_order() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    let payment = app.payment_id();
    app.advance(1);
    app.publish(&[Event::PaymentCreated(app.changed(&order, payment, 1, Status::Pending))]).await;
    app.until(&order, "the payment is known", |order| order["payments"][0]["status"] == "pending").await;
    app.advance(1);
    app.publish(&[Event::PaymentCompleted(app.changed(&order, payment, 2, Status::Completed))]).await;
    app.until(&order, "the order is paid", |order| order["payment_status"] == "completed").await;
    app.advance(1);
    app.post(&format!("{}/cancel", path(&order)), &app.token(user), json!({"reason": "too late"})).await.json(200);

    let entries = timeline(&app, &order).await;
    let kinds: Vec<_> = entries.iter().map(|entry| entry["type"].as_str().unwrap()).collect();
    let expected = ["order.created", "payment.created", "payment.completed", "order.updated", "order.cancelled"];
    assert_eq!(kinds, expected, "{entries:#?}");
    let services: Vec<_> = entries.iter().map(|entry| entry["service"].as_str().unwrap()).collect();
    assert_eq!(services, ["order-service", "test", "test", "order-service", "order-service"]);
    for entry in &entries {
        assert!(!entry["summary"].as_str().unwrap().is_empty());
        assert!(entry["event_id"].is_string() && entry["at"].is_string(), "{entry}");
        assert_eq!(entry["data"]["order_id"], order["id"]);
    }
    assert!(entries[4]["summary"].as_str().unwrap().contains("too late"));
}

#[tokio::test]
async fn stock_events_are_listed() {
    let app = TestApp::start().await;
    let (_, order) = app.placed().await;
    app.publish(&[Event::StockReserved(reservation_change(&order)), Event::StockCommitted(reservation_change(&order))])
        .await;
    let entries = eventually("both events are consumed", TIMEOUT, || async {
        Some(timeline(&app, &order).await).filter(|entries| entries.len() == 3)
    })
    .await;
    let stock_entries: Vec<_> = entries.iter().filter(|entry| entry["service"] == "test").collect();
    assert_eq!(stock_entries.len(), 2, "{entries:#?}");
}

#[tokio::test]
async fn timeline_of_another_customer_is_not_found() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    let own = app.get(&format!("{}/timeline", path(&order)), &app.token(user)).await.json(200);
    assert_eq!(own[0]["type"], "order.created");
    let stranger = app.token(app.user());
    app.get(&format!("{}/timeline", path(&order)), &stranger).await.problem(404, "ORDER_NOT_FOUND");
}
