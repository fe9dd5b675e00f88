//! The stock by hand.

use reqwest::Method;
use serde_json::json;

use crate::support::Shop;

#[tokio::test]
async fn pieces_come_and_go_by_hand() {
    let shop = Shop::open().await;
    let id = shop.stocked(5).await;
    let path = format!("/api/products/{id}/stock");
    let body = || Some(json!({"quantity": 1}));
    shop.only_for(Method::PATCH, &path, body(), &[shop.token(shop.user())]).await;
    assert_eq!(shop.patch(&path, &shop.admin(), json!({"quantity": 10})).await.ok(200)["stockQuantity"], 15);
    let product = shop.patch(&path, &shop.trusted(), json!({"quantity": -15})).await.ok(200);
    assert_eq!(product["stockQuantity"], 0);
    assert_eq!(shop.product(id).await, product);
    assert_eq!(shop.pieces(id).await, [5, -5, 0, 0, 0]);
    let (kind, data) = shop.events().await.pop().unwrap();
    assert_eq!(kind, "product.stock_updated");
    assert_eq!(data, json!({"productId": id, "change": -15, "stockQuantity": 0}));
}

#[tokio::test]
async fn what_is_not_there_cannot_be_taken_away() {
    let shop = Shop::open().await;
    let id = shop.stocked(5).await;
    let path = format!("/api/products/{id}/stock");
    shop.reserve(shop.order(), &[(id, 3)]).await.ok(201);
    let refused = shop.patch(&path, &shop.admin(), json!({"quantity": -3})).await.refused(400, "INSUFFICIENT_STOCK");
    assert_eq!(refused["shortages"], json!([{"productId": id, "requested": 3, "available": 2}]));
    shop.patch(&path, &shop.admin(), json!({"quantity": -2})).await.ok(200);
    assert_eq!(shop.pieces(id).await, [5, -2, 0, 3, 0]);
    for wrong in [json!(0), json!("1"), json!(1.5), json!(null), json!(1_000_000_001_i64), json!(i64::MIN)] {
        shop.patch(&path, &shop.admin(), json!({"quantity": wrong})).await.invalid("quantity");
    }
    shop.patch(&path, &shop.admin(), json!({"quantity": 1_000_000_000})).await.ok(200);
    shop.patch(&path, &shop.admin(), json!({"quantity": 1})).await.invalid("quantity");
    shop.patch("/api/products/77/stock", &shop.admin(), json!({"quantity": 1})).await.refused(404, "PRODUCT_NOT_FOUND");
}

#[tokio::test]
async fn anybody_may_ask_whether_so_many_are_there() {
    let shop = Shop::open().await;
    let id = shop.stocked(5).await;
    let path = format!("/api/products/{id}/stock");
    for (query, available) in [("", true), ("?quantity=5", true), ("?quantity=6", false)] {
        let answer = shop.get(&format!("{path}{query}")).await.ok(200);
        assert_eq!(answer, json!({"productId": id, "stockQuantity": 5, "available": available}));
    }
    for wrong in ["0", "-1", "x", "1.5"] {
        shop.get(&format!("{path}?quantity={wrong}")).await.invalid("quantity");
    }
    shop.get("/api/products/77/stock").await.refused(404, "PRODUCT_NOT_FOUND");
    let empty = shop.stocked(0).await;
    assert_eq!(shop.get(&format!("/api/products/{empty}/stock")).await.ok(200)["available"], false);
}
