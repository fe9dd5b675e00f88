//! Reservations.

use contracts::OrderId;
use contracts::api::OrderStatus;
use reqwest::Method;
use serde_json::json;
use testkit::ResponseExt as _;

use crate::support::{TTL, TestService};

#[tokio::test]
async fn reservations_require_a_service_token() {
    let service = TestService::open().await;
    let id = service.product_with_stock(5).await;
    let (order, others) = (service.order(), [service.token(service.user()), service.admin()]);
    let body = json!({"orderId": order, "items": [{"productId": id, "quantity": 1}]});
    service.assert_forbidden(Method::POST, "/api/products/reservations", Some(body), &others).await;
    let path = format!("/api/products/reservations/{order}");
    service.assert_forbidden(Method::GET, &path, None, &others).await;
    service.assert_forbidden(Method::DELETE, &path, None, &others).await;
    service.reservation(order).await.problem(404, "RESERVATION_NOT_FOUND");
    assert_eq!(service.available(id).await, 5);
}

#[tokio::test]
async fn reserved_stock_is_unavailable_until_its_release() {
    let service = TestService::open().await;
    let (a, b, order) = (service.product_with_stock(5).await, service.product_with_stock(5).await, service.order());
    let reserved = service.reserve(order, &[(b, 1), (a, 2), (b, 2)]).await.json(201);
    let expires = service.time_after(TTL);
    let items = json!([{"productId": a, "quantity": 2}, {"productId": b, "quantity": 3}]);
    let expected = json!({"orderId": order, "status": "reserved", "expiresAt": expires, "items": items});
    assert_eq!(reserved, expected);
    assert_eq!((service.available(a).await, service.available(b).await), (3, 2));
    assert_eq!(service.reservation(order).await.json(200), reserved);
    let (kind, data) = service.events().await.pop().unwrap();
    assert_eq!(kind, "product.stock_reserved");
    let lines = json!([{"product_id": a, "quantity": 2}, {"product_id": b, "quantity": 3}]);
    assert_eq!(data, json!({"order_id": order, "items": lines}));

    service.advance(5);
    assert_eq!(service.reserve(order, &[(a, 2), (b, 3)]).await.json(200), reserved, "the same again");
    service.reserve(order, &[(a, 2)]).await.problem(409, "CONFLICT");
    service.reserve(order, &[(a, 2), (b, 4)]).await.problem(409, "CONFLICT");
    assert_eq!((service.available(a).await, service.available(b).await), (3, 2));

    for _ in 0..2 {
        service.release(order).await.json(204);
        assert_eq!((service.available(a).await, service.available(b).await), (5, 5));
    }
    let released = service.reservation(order).await.json(200);
    assert_eq!((&released["status"], &released["expiresAt"]), (&json!("released"), &json!(null)));
    service.reserve(order, &[(a, 2), (b, 3)]).await.problem(409, "RESERVATION_RELEASED");
    assert_eq!(service.events_of(order).await, ["stock_reserved", "stock_released"]);
    assert_eq!((service.stock_balance(a).await, service.stock_balance(b).await), ([5, 0, 5, 0, 0], [5, 0, 5, 0, 0]));
}

#[tokio::test]
async fn reservation_after_its_release_is_rejected() {
    let service = TestService::open().await;
    let (id, order) = (service.product_with_stock(5).await, service.order());
    service.release(order).await.json(204);
    service.release(order).await.json(204);
    assert_eq!(service.status(order).await, "released");
    service.reserve(order, &[(id, 1)]).await.problem(409, "RESERVATION_RELEASED");
    assert_eq!(service.available(id).await, 5);
    assert!(service.events_of(order).await.is_empty());
}

#[tokio::test]
async fn release_of_sold_stock_is_rejected() {
    let service = TestService::open().await;
    let (id, order) = (service.product_with_stock(5).await, service.order());
    service.reserve(order, &[(id, 2)]).await.json(201);
    service.order_updated(order, OrderStatus::Confirmed).await;
    service.release(order).await.problem(409, "RESERVATION_COMMITTED");
    service.reserve(order, &[(id, 2)]).await.problem(409, "RESERVATION_COMMITTED");
    assert_eq!(service.stock_balance(id).await, [5, 0, 3, 0, 2]);
}

#[tokio::test]
async fn reservation_covers_all_lines_or_none() {
    let service = TestService::open().await;
    let (a, b, c, order) = (
        service.product_with_stock(5).await,
        service.product_with_stock(1).await,
        service.product_with_stock(0).await,
        service.order(),
    );
    let rejected = service.reserve(order, &[(c, 1), (a, 5), (b, 1), (b, 1)]).await.problem(400, "INSUFFICIENT_STOCK");
    let shortages = json!([
        {"productId": b, "requested": 2, "available": 1},
        {"productId": c, "requested": 1, "available": 0},
    ]);
    assert_eq!(rejected["shortages"], shortages);
    assert_eq!((service.available(a).await, service.available(b).await), (5, 1));
    service.reservation(order).await.problem(404, "RESERVATION_NOT_FOUND");
    service.reserve(order, &[(a, 5), (b, 1)]).await.json(201);
}

#[tokio::test]
async fn reservation_of_inactive_products_is_rejected() {
    let service = TestService::open().await;
    let (a, inactive, order) =
        (service.product_with_stock(5).await, service.product_with_stock(5).await, service.order());
    service.delete(&format!("/api/products/{inactive}"), &service.admin()).await.json(204);
    for id in [inactive, 77, -1] {
        service.reserve(order, &[(a, 9), (id, 1)]).await.problem(400, "PRODUCT_NOT_FOUND");
    }
    assert_eq!(service.available(a).await, 5);
}

#[tokio::test]
async fn invalid_reservation_is_rejected() {
    let service = TestService::open().await;
    let (id, order) = (service.product_with_stock(5000).await, service.order());
    let post = async |body| service.post("/api/products/reservations", &service.service_token(), body).await;
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
        post(body).await.invalid(400, &[field]);
    }
    let path = "/api/products/reservations/7";
    service.send(Method::GET, path, Some(&service.service_token()), None).await.invalid(400, &["orderId"]);
    service.delete(path, &service.service_token()).await.invalid(400, &["orderId"]);
    service.reserve(order, &[(id, 20); 50]).await.json(201);
    assert_eq!(service.available(id).await, 4000);
}

#[tokio::test]
async fn concurrent_reservations_never_oversell() {
    let service = TestService::open().await;
    let id = service.product_with_stock(50).await;
    let orders: Vec<OrderId> = (0..64).map(|_| service.order()).collect();
    let line = [(id, 1)];
    let replies = orders.iter().map(|order| service.reserve(*order, &line));
    let replies = futures::future::join_all(replies).await;
    let (made, rejected): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 201);
    assert_eq!((made.len(), rejected.len()), (50, 14));
    for rejected in rejected {
        let rejected = rejected.problem(400, "INSUFFICIENT_STOCK");
        assert_eq!(rejected["shortages"], json!([{"productId": id, "requested": 1, "available": 0}]));
    }
    assert_eq!(service.stock_balance(id).await, [50, 0, 0, 50, 0]);
}

#[tokio::test]
async fn reservations_of_the_same_products_do_not_deadlock() {
    let service = TestService::open().await;
    let (a, b) = (service.product_with_stock(40).await, service.product_with_stock(40).await);
    let lines = [[(a, 1), (b, 1)], [(b, 1), (a, 1)]];
    let there = (0..20).map(|_| service.reserve(service.order(), &lines[0]));
    let back = (0..20).map(|_| service.reserve(service.order(), &lines[1]));
    let (there, back) = tokio::join!(futures::future::join_all(there), futures::future::join_all(back));
    for reply in there.into_iter().chain(back) {
        reply.json(201);
    }
    assert_eq!(
        (service.stock_balance(a).await, service.stock_balance(b).await),
        ([40, 0, 0, 40, 0], [40, 0, 0, 40, 0])
    );
}

#[tokio::test]
async fn concurrent_reservations_of_one_order_are_idempotent() {
    let service = TestService::open().await;
    let (id, order) = (service.product_with_stock(9).await, service.order());
    let line = [(id, 3)];
    let replies = futures::future::join_all((0..8).map(|_| service.reserve(order, &line))).await;
    let mut statuses: Vec<_> = replies.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 201]);
    assert_eq!(service.available(id).await, 6);
}
