//! `GET /api/orders/{id}/timeline`

use contracts::Event;
use contracts::calls::PaymentStatus as Status;
use contracts::event::ReservationChanged;
use serde_json::{Value, json};
use testkit::eventually;

use crate::support::{PATIENCE, Shop, id, path};

fn goods(order: &Value) -> ReservationChanged {
    ReservationChanged { order_id: id(order), items: Vec::new() }
}

async fn timeline(shop: &Shop, order: &Value) -> Vec<Value> {
    let entries = shop.get(&format!("{}/timeline", path(order)), &shop.admin()).await.ok(200);
    entries.as_array().unwrap().clone()
}

#[tokio::test]
async fn all_that_happens_to_an_order_is_told_in_order() {
    let shop = Shop::start().await;
    let (user, order) = shop.placed().await;
    let payment = shop.payment_id();
    shop.advance(1);
    shop.publish(&[Event::PaymentCreated(shop.changed(&order, payment, 1, Status::Pending))]).await;
    shop.until(&order, "it is known", |order| order["payments"][0]["status"] == "pending").await;
    shop.advance(1);
    shop.publish(&[Event::PaymentCompleted(shop.changed(&order, payment, 2, Status::Completed))]).await;
    shop.until(&order, "it is paid", |order| order["payment_status"] == "completed").await;
    shop.advance(1);
    shop.post(&format!("{}/cancel", path(&order)), &shop.token(user), json!({"reason": "too late"})).await.ok(200);

    let entries = timeline(&shop, &order).await;
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
async fn what_happens_to_the_goods_is_told_too() {
    let shop = Shop::start().await;
    let (_, order) = shop.placed().await;
    shop.publish(&[Event::StockReserved(goods(&order)), Event::StockCommitted(goods(&order))]).await;
    let entries = eventually("both are heard", PATIENCE, || async {
        Some(timeline(&shop, &order).await).filter(|entries| entries.len() == 3)
    })
    .await;
    let of_goods: Vec<_> = entries.iter().filter(|entry| entry["service"] == "test").collect();
    assert_eq!(of_goods.len(), 2, "{entries:#?}");
}

#[tokio::test]
async fn another_persons_timeline_is_not_there() {
    let shop = Shop::start().await;
    let (user, order) = shop.placed().await;
    let own = shop.get(&format!("{}/timeline", path(&order)), &shop.token(user)).await.ok(200);
    assert_eq!(own[0]["type"], "order.created");
    let stranger = shop.token(shop.user());
    shop.get(&format!("{}/timeline", path(&order)), &stranger).await.refused(404, "ORDER_NOT_FOUND");
}
