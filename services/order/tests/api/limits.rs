//! Limits on what a person may order without paying for it

use contracts::{Scope, UserId};
use futures::future::join_all;
use serde_json::{Value, json};
use testkit::eventually;

use crate::support::{PATIENCE, Shop, path};

const LIMITS: &[(&str, &str)] = &[("MAX_UNPAID_ORDERS", "3"), ("MAX_UNPAID_PIECES", "10")];

fn pieces(user: UserId, product: i64, quantity: i64) -> Value {
    let mut form = Shop::form(user);
    form["items"] = json!([{"product_id": product, "quantity": quantity}]);
    form
}

/// Waits until only the orders that exist hold stock.
async fn until_released(shop: &Shop, orders: usize) {
    eventually("the stock of rejected orders is released", PATIENCE, || async {
        (shop.neighbours.world().reservations.len() == orders).then_some(())
    })
    .await;
}

#[tokio::test]
async fn unpaid_orders_of_a_person_are_limited() {
    let shop = Shop::with(LIMITS).await;
    let user = shop.user();
    let token = shop.token(user);
    let mut orders = Vec::new();
    for _ in 0..3 {
        orders.push(shop.place(user).await);
    }
    let rejected = shop.post("/api/orders", &token, Shop::form(user)).await.refused(409, "TOO_MANY_UNPAID_ORDERS");
    assert!(rejected["detail"].as_str().unwrap().contains('3'), "{rejected}");
    assert_eq!(shop.neighbours.world().reservations.len(), 3, "nothing was reserved for it");
    shop.place(shop.user()).await;
    for token in [shop.admin(), shop.service_with(&[Scope::OrdersPlace])] {
        let order = shop.post("/api/orders", &token, Shop::form(user)).await.ok(201);
        shop.post(&format!("{}/cancel", path(&order)), &shop.admin(), json!({})).await.ok(200);
    }
    shop.pay(&orders[0]).await;
    shop.place(user).await;
    shop.post(&format!("{}/cancel", path(&orders[1])), &token, json!({})).await.ok(200);
    shop.place(user).await;
    shop.post("/api/orders", &token, Shop::form(user)).await.refused(409, "TOO_MANY_UNPAID_ORDERS");
}

#[tokio::test]
async fn unpaid_pieces_of_a_person_are_limited() {
    let shop = Shop::with(LIMITS).await;
    let user = shop.user();
    let token = shop.token(user);
    shop.post("/api/orders", &token, pieces(user, 1, 11)).await.refused(409, "TOO_MANY_UNPAID_PIECES");
    let first = shop.post("/api/orders", &token, pieces(user, 1, 8)).await.ok(201);
    shop.post("/api/orders", &token, pieces(user, 1, 3)).await.refused(409, "TOO_MANY_UNPAID_PIECES");
    shop.post("/api/orders", &token, pieces(user, 1, 2)).await.ok(201);
    shop.pay(&first).await;
    shop.post("/api/orders", &token, pieces(user, 1, 8)).await.ok(201);
}

#[tokio::test]
async fn products_and_stock_are_reported_before_limits() {
    let shop = Shop::with(&[("MAX_UNPAID_ORDERS", "1"), ("MAX_UNPAID_PIECES", "4")]).await;
    let user = shop.user();
    let token = shop.token(user);
    shop.place(user).await;
    shop.post("/api/orders", &token, pieces(user, 99, 1)).await.refused(400, "PRODUCT_NOT_FOUND");
    let short = shop.post("/api/orders", &token, pieces(user, 2, 6)).await.refused(400, "INSUFFICIENT_STOCK");
    assert_eq!(short["shortages"], json!([{"product_id": 2, "requested": 6, "available": 5}]));
    shop.post("/api/orders", &token, pieces(user, 2, 5)).await.refused(409, "TOO_MANY_UNPAID_ORDERS");
}

#[tokio::test]
async fn fifty_requests_at_once_do_not_exceed_a_limit() {
    for (settings, code) in [
        ([("MAX_UNPAID_ORDERS", "3"), ("MAX_UNPAID_PIECES", "0")], "TOO_MANY_UNPAID_ORDERS"),
        ([("MAX_UNPAID_ORDERS", "0"), ("MAX_UNPAID_PIECES", "7")], "TOO_MANY_UNPAID_PIECES"),
    ] {
        let shop = Shop::with(&settings).await;
        let user = shop.user();
        let (token, form) = (shop.token(user), Shop::form(user));
        let replies = join_all((0..50).map(|_| shop.post("/api/orders", &token, form.clone()))).await;
        let placed = replies.iter().filter(|reply| reply.status == 201).count();
        assert!((1..=3).contains(&placed), "{settings:?}: {placed}");
        // A request that found no free connection to the store is answered 503; what is left of the limit can be used.
        for reply in replies.into_iter().filter(|reply| !matches!(reply.status, 201 | 503)) {
            reply.refused(409, code);
        }
        let last = loop {
            let reply = shop.post("/api/orders", &token, form.clone()).await;
            if reply.status != 201 {
                break reply;
            }
        };
        last.refused(409, code);
        assert_eq!(shop.get("/api/orders", &token).await.ok(200)["total"], 3, "{settings:?}");
        until_released(&shop, 3).await;
    }
}

#[tokio::test]
async fn rejected_order_does_not_spend_its_key() {
    let shop = Shop::with(LIMITS).await;
    let user = shop.user();
    let (token, form) = (shop.token(user), pieces(user, 1, 8));
    let first = shop.post("/api/orders", &token, form.clone()).await.ok(201);
    shop.post_keyed("/api/orders", &token, "k", &form).await.refused(409, "TOO_MANY_UNPAID_PIECES");
    shop.post(&format!("{}/cancel", path(&first)), &token, json!({})).await.ok(200);
    shop.post_keyed("/api/orders", &token, "k", &form).await.ok(201);
}
