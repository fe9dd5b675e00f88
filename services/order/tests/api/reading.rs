//! `GET /api/orders/{id}` and `GET /api/orders/number/{order_number}`

use contracts::calls::{OrderStatus, OrderSummary};
use reqwest::Method;
use serde_json::json;

use crate::support::{Shop, UNKNOWN, path};

#[tokio::test]
async fn an_order_is_its_owners() {
    let shop = Shop::start().await;
    let (user, order) = shop.placed().await;
    let number = format!("/api/orders/number/{}", order["order_number"].as_str().unwrap());
    let stranger = shop.token(shop.user());
    for path in [path(&order), number] {
        for token in [shop.token(user), shop.admin(), shop.service()] {
            assert_eq!(shop.get(&path, &token).await.ok(200), order);
        }
        assert_eq!(shop.get(&format!("{path}/"), &shop.token(user)).await.ok(200), order);
        let refusal = shop.get(&path, &stranger).await.refused(404, "ORDER_NOT_FOUND");
        let missing = shop.get(&format!("/api/orders/{UNKNOWN}"), &stranger).await.refused(404, "ORDER_NOT_FOUND");
        assert_eq!((&refusal["detail"], &refusal["detail"]), (&json!("Order not found"), &missing["detail"]));
        shop.send(Method::GET, &path, None, None).await.refused(401, "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn what_is_no_id_is_refused_and_what_is_no_number_not_found() {
    let shop = Shop::start().await;
    shop.get("/api/orders/7", &shop.admin()).await.invalid(400, &["id"]);
    shop.get(&format!("/api/orders/{UNKNOWN}"), &shop.admin()).await.refused(404, "ORDER_NOT_FOUND");
    for number in ["ORD-1", "ORD-1234567890123456789", "a%20b", "%27"] {
        shop.get(&format!("/api/orders/number/{number}"), &shop.admin()).await.refused(404, "ORDER_NOT_FOUND");
    }
}

#[tokio::test]
async fn an_order_that_was_changed_is_read_changed_at_once() {
    let shop = Shop::start().await;
    let (user, order) = shop.placed().await;
    let token = shop.token(user);
    shop.get(&path(&order), &token).await.ok(200);
    let changed = shop.put(&path(&order), &token, json!({"notes": "new"})).await.ok(200);
    assert_eq!(shop.get(&path(&order), &token).await.ok(200), changed);
}

#[tokio::test]
async fn other_services_can_read_it() {
    let shop = Shop::start().await;
    let (user, order) = shop.placed().await;
    let (payment, _) = shop.pay(&order).await;
    let summary: OrderSummary = serde_json::from_value(shop.get(&path(&order), &shop.service()).await.ok(200)).unwrap();
    assert_eq!((summary.user_id, summary.status, summary.payments[0].id), (user, OrderStatus::Confirmed, payment));
}
