//! `user.deleted`

use contracts::event::UserDeleted;
use contracts::{Event, UserId};
use serde_json::{Value, json};
use testkit::eventually;

use crate::support::{PATIENCE, Shop};

async fn delete(shop: &Shop, user: UserId) {
    shop.publish(&[Event::UserDeleted(UserDeleted { user_id: user })]).await;
    eventually("the deletion is recorded", PATIENCE, || async {
        let deleted = "SELECT count(*) FROM customers WHERE deleted_at IS NOT NULL";
        (shop.database.number(deleted).await > 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn unpaid_orders_of_a_deleted_account_are_cancelled_and_paid_ones_stay() {
    let shop = Shop::start().await;
    let user = shop.user();
    let (unpaid, paid, shipped) = (shop.place(user).await, shop.place(user).await, shop.place(user).await);
    shop.pay(&paid).await;
    for status in ["confirmed", "processing", "shipped"] {
        let path = format!("/api/orders/{}", shipped["id"].as_str().unwrap());
        shop.put(&path, &shop.admin(), json!({"status": status})).await.ok(200);
    }
    let (_, other) = shop.placed().await;
    delete(&shop, user).await;
    let cancelled = shop.until(&unpaid, "it is cancelled", |order| order["status"] == "cancelled").await;
    assert_eq!(cancelled["notes"], "Cancellation reason: Account deleted");
    assert_eq!(cancelled["payment_due_at"], Value::Null);
    let (kind, data) = shop.events(&unpaid).await.pop().unwrap();
    assert_eq!((kind.as_str(), &data["items"]), ("order.cancelled", &json!([{"product_id": 1, "quantity": 2}])));
    for (order, status) in [(&paid, "confirmed"), (&shipped, "shipped"), (&other, "pending")] {
        assert_eq!(shop.order(order["id"].as_str().unwrap()).await["status"], status);
    }
    // Once more, by another message: what is cancelled stays as it is.
    delete(&shop, user).await;
    shop.pay(&other).await;
    assert_eq!(shop.event_kinds(&unpaid).await, ["order.created", "order.cancelled"]);
}

/// The token lives for some seconds more, and that the person exists may be cached or unknown.
#[tokio::test]
async fn deleted_account_places_no_more_orders() {
    let shop = Shop::start().await;
    let user = shop.user();
    shop.place(user).await;
    delete(&shop, user).await;
    shop.neighbours.world().users_away = true;
    shop.post("/api/orders", &shop.token(user), Shop::form(user)).await.refused(404, "USER_NOT_FOUND");
    eventually("the stock is released", PATIENCE, || async {
        (shop.neighbours.world().reservations.len() == 1).then_some(())
    })
    .await;
    shop.neighbours.world().users_away = false;
    shop.neighbours.world().users.remove(&user);
    shop.post("/api/orders", &shop.admin(), Shop::form(user)).await.refused(404, "USER_NOT_FOUND");
}
