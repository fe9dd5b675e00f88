//! `POST /ops/orders/{id}/abandon`

use common::clock::Clock;
use contracts::OrderId;
use reqwest::Method;
use serde_json::json;

use crate::support::{Shop, UNKNOWN};

#[tokio::test]
async fn an_order_that_exists_stays() {
    let shop = Shop::start().await;
    for status in ["pending", "cancelled"] {
        let (_, order) = shop.placed_in(status).await;
        let abandon = format!("/ops/orders/{}/abandon", order["id"].as_str().unwrap());
        for _ in 0..2 {
            let answer = shop.send(Method::POST, &abandon, Some(&shop.service()), None).await.ok(200);
            assert_eq!(answer, json!({"exists": true, "status": status}));
        }
        assert_eq!(shop.order(order["id"].as_str().unwrap()).await, order);
    }
}

#[tokio::test]
async fn where_there_is_no_order_there_never_will_be() {
    let shop = Shop::start().await;
    let id = OrderId::generate(shop.clock.now());
    for _ in 0..2 {
        let answer = shop.send(Method::POST, &format!("/ops/orders/{id}/abandon"), Some(&shop.service()), None).await;
        assert_eq!(answer.ok(200), json!({"exists": false}));
    }
    shop.get(&format!("/api/orders/{id}"), &shop.admin()).await.refused(404, "ORDER_NOT_FOUND");
}

#[tokio::test]
async fn only_services_abandon() {
    let shop = Shop::start().await;
    let abandon = format!("/ops/orders/{UNKNOWN}/abandon");
    shop.send(Method::POST, &abandon, None, None).await.refused(401, "UNAUTHENTICATED");
    for token in [shop.token(shop.user()), shop.admin()] {
        shop.send(Method::POST, &abandon, Some(&token), None).await.refused(403, "FORBIDDEN");
    }
    shop.send(Method::POST, "/ops/orders/7/abandon", Some(&shop.service()), None).await.invalid(400, &["id"]);
}
