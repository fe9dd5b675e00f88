//! Reservations.

use contracts::OrderId;
use contracts::calls::OrderStatus;
use reqwest::Method;
use serde_json::json;

use crate::support::{Shop, TTL};

#[tokio::test]
async fn only_a_service_reserves() {
    let shop = Shop::open().await;
    let id = shop.stocked(5).await;
    let (order, others) = (shop.order(), [shop.token(shop.user()), shop.admin()]);
    let body = json!({"orderId": order, "items": [{"productId": id, "quantity": 1}]});
    shop.only_for(Method::POST, "/api/products/reservations", Some(body), &others).await;
    let path = format!("/api/products/reservations/{order}");
    shop.only_for(Method::GET, &path, None, &others).await;
    shop.only_for(Method::DELETE, &path, None, &others).await;
    shop.reservation(order).await.refused(404, "RESERVATION_NOT_FOUND");
    assert_eq!(shop.left(id).await, 5);
}

#[tokio::test]
async fn what_is_reserved_is_off_the_shelf_until_it_is_given_back() {
    let shop = Shop::open().await;
    let (a, b, order) = (shop.stocked(5).await, shop.stocked(5).await, shop.order());
    let reserved = shop.reserve(order, &[(b, 1), (a, 2), (b, 2)]).await.ok(201);
    let expires = shop.clock_text(TTL);
    let items = json!([{"productId": a, "quantity": 2}, {"productId": b, "quantity": 3}]);
    let expected = json!({"orderId": order, "status": "reserved", "expiresAt": expires, "items": items});
    assert_eq!(reserved, expected);
    assert_eq!((shop.left(a).await, shop.left(b).await), (3, 2));
    assert_eq!(shop.reservation(order).await.ok(200), reserved);
    let (kind, data) = shop.events().await.pop().unwrap();
    assert_eq!(kind, "product.stock_reserved");
    let lines = json!([{"product_id": a, "quantity": 2}, {"product_id": b, "quantity": 3}]);
    assert_eq!(data, json!({"order_id": order, "items": lines}));

    shop.advance(5);
    assert_eq!(shop.reserve(order, &[(a, 2), (b, 3)]).await.ok(200), reserved, "the same again");
    shop.reserve(order, &[(a, 2)]).await.refused(409, "CONFLICT");
    shop.reserve(order, &[(a, 2), (b, 4)]).await.refused(409, "CONFLICT");
    assert_eq!((shop.left(a).await, shop.left(b).await), (3, 2));

    for _ in 0..2 {
        shop.release(order).await.ok(204);
        assert_eq!((shop.left(a).await, shop.left(b).await), (5, 5));
    }
    let released = shop.reservation(order).await.ok(200);
    assert_eq!((&released["status"], &released["expiresAt"]), (&json!("released"), &json!(null)));
    shop.reserve(order, &[(a, 2), (b, 3)]).await.refused(409, "RESERVATION_RELEASED");
    assert_eq!(shop.events_of(order).await, ["stock_reserved", "stock_released"]);
    assert_eq!((shop.pieces(a).await, shop.pieces(b).await), ([5, 0, 5, 0, 0], [5, 0, 5, 0, 0]));
}

#[tokio::test]
async fn an_attempt_that_comes_after_its_end_fails() {
    let shop = Shop::open().await;
    let (id, order) = (shop.stocked(5).await, shop.order());
    shop.release(order).await.ok(204);
    shop.release(order).await.ok(204);
    assert_eq!(shop.status(order).await, "released");
    shop.reserve(order, &[(id, 1)]).await.refused(409, "RESERVATION_RELEASED");
    assert_eq!(shop.left(id).await, 5);
    assert!(shop.events_of(order).await.is_empty());
}

#[tokio::test]
async fn what_is_sold_is_not_given_back_by_a_release() {
    let shop = Shop::open().await;
    let (id, order) = (shop.stocked(5).await, shop.order());
    shop.reserve(order, &[(id, 2)]).await.ok(201);
    shop.hear_status(order, OrderStatus::Confirmed).await;
    shop.release(order).await.refused(409, "RESERVATION_COMMITTED");
    shop.reserve(order, &[(id, 2)]).await.refused(409, "RESERVATION_COMMITTED");
    assert_eq!(shop.pieces(id).await, [5, 0, 3, 0, 2]);
}

#[tokio::test]
async fn all_lines_are_reserved_or_none() {
    let shop = Shop::open().await;
    let (a, b, c, order) = (shop.stocked(5).await, shop.stocked(1).await, shop.stocked(0).await, shop.order());
    let refused = shop.reserve(order, &[(c, 1), (a, 5), (b, 1), (b, 1)]).await.refused(400, "INSUFFICIENT_STOCK");
    let shortages = json!([
        {"productId": b, "requested": 2, "available": 1},
        {"productId": c, "requested": 1, "available": 0},
    ]);
    assert_eq!(refused["shortages"], shortages);
    assert_eq!((shop.left(a).await, shop.left(b).await), (5, 1));
    shop.reservation(order).await.refused(404, "RESERVATION_NOT_FOUND");
    shop.reserve(order, &[(a, 5), (b, 1)]).await.ok(201);
}

#[tokio::test]
async fn what_is_not_on_sale_cannot_be_reserved() {
    let shop = Shop::open().await;
    let (a, hidden, order) = (shop.stocked(5).await, shop.stocked(5).await, shop.order());
    shop.delete(&format!("/api/products/{hidden}"), &shop.admin()).await.ok(204);
    for id in [hidden, 77, -1] {
        shop.reserve(order, &[(a, 9), (id, 1)]).await.refused(400, "PRODUCT_NOT_FOUND");
    }
    assert_eq!(shop.left(a).await, 5);
}

#[tokio::test]
async fn what_breaks_a_rule_reserves_nothing() {
    let shop = Shop::open().await;
    let (id, order) = (shop.stocked(5000).await, shop.order());
    let post = async |body| shop.post("/api/products/reservations", &shop.trusted(), body).await;
    let line = |quantity: i64| json!({"productId": id, "quantity": quantity});
    for (field, body) in [
        ("orderId", json!({"items": [line(1)]})),
        ("orderId", json!({"orderId": "7", "items": [line(1)]})),
        ("items", json!({"orderId": order})),
        ("items", json!({"orderId": order, "items": []})),
        ("items", json!({"orderId": order, "items": vec![line(1); 51]})),
        ("items", json!({"orderId": order, "items": [line(1000), line(1)]})),
        ("items[0].quantity", json!({"orderId": order, "items": [line(0)]})),
        ("items[1].quantity", json!({"orderId": order, "items": [line(1), line(1001)]})),
        ("items[0].quantity", json!({"orderId": order, "items": [{"productId": id}]})),
        ("items[0].quantity", json!({"orderId": order, "items": [{"productId": id, "quantity": 1.5}]})),
        ("items[0].productId", json!({"orderId": order, "items": [{"quantity": 1}]})),
    ] {
        post(body).await.invalid(field);
    }
    let path = "/api/products/reservations/7";
    shop.send(Method::GET, path, Some(&shop.trusted()), None).await.invalid("orderId");
    shop.delete(path, &shop.trusted()).await.invalid("orderId");
    shop.reserve(order, &[(id, 20); 50]).await.ok(201);
    assert_eq!(shop.left(id).await, 4000);
}

#[tokio::test]
async fn the_last_fifty_pieces_are_sold_once() {
    let shop = Shop::open().await;
    let id = shop.stocked(50).await;
    let orders: Vec<OrderId> = (0..64).map(|_| shop.order()).collect();
    let line = [(id, 1)];
    let replies = orders.iter().map(|order| shop.reserve(*order, &line));
    let replies = futures::future::join_all(replies).await;
    let (made, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 201);
    assert_eq!((made.len(), refused.len()), (50, 14));
    for refused in refused {
        let refused = refused.refused(400, "INSUFFICIENT_STOCK");
        assert_eq!(refused["shortages"], json!([{"productId": id, "requested": 1, "available": 0}]));
    }
    assert_eq!(shop.pieces(id).await, [50, 0, 0, 50, 0]);
}

#[tokio::test]
async fn orders_of_the_same_products_in_opposite_order_both_end() {
    let shop = Shop::open().await;
    let (a, b) = (shop.stocked(40).await, shop.stocked(40).await);
    let lines = [[(a, 1), (b, 1)], [(b, 1), (a, 1)]];
    let there = (0..20).map(|_| shop.reserve(shop.order(), &lines[0]));
    let back = (0..20).map(|_| shop.reserve(shop.order(), &lines[1]));
    let (there, back) = tokio::join!(futures::future::join_all(there), futures::future::join_all(back));
    for reply in there.into_iter().chain(back) {
        reply.ok(201);
    }
    assert_eq!((shop.pieces(a).await, shop.pieces(b).await), ([40, 0, 0, 40, 0], [40, 0, 0, 40, 0]));
}

#[tokio::test]
async fn one_order_at_once_is_reserved_once() {
    let shop = Shop::open().await;
    let (id, order) = (shop.stocked(9).await, shop.order());
    let line = [(id, 3)];
    let replies = futures::future::join_all((0..8).map(|_| shop.reserve(order, &line))).await;
    let mut statuses: Vec<_> = replies.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 201]);
    assert_eq!(shop.left(id).await, 6);
}
